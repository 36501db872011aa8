#!/usr/bin/env python3
"""Alice and Bob, who talk through an XMPP server: what a real client library sends.

usage: clients.py PORT

Before each act it says the act's name, and begins when a line comes. Within an act nobody goes on
before the other side has got what was said to it.
"""

import asyncio
import logging
import sys

from slixmpp import ClientXMPP

PATIENCE = 60  # seconds for one stanza to arrive
ROOM = "room@conference.localhost"


class User(ClientXMPP):
    def __init__(self, jid: str):
        super().__init__(jid, "secret", plugin_config={"feature_mechanisms": {"unencrypted_scram": True}})
        self.enable_starttls, self.enable_direct_tls, self.enable_plaintext = False, False, True
        self.got = asyncio.Queue()
        self.started = asyncio.Event()
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_filter("in", self.note)

    def note(self, stanza):
        if stanza.name in ("message", "presence", "iq"):
            self.got.put_nowait(str(stanza))
        return stanza

    async def come(self, port: int):
        self.connect("127.0.0.1", port)
        await asyncio.wait_for(self.started.wait(), PATIENCE)
        return self

    def say(self, xml: str):
        """Sends a stanza as it is written here."""
        self.send_raw(xml)

    async def sees(self, *parts: str):
        """Waits for a stanza that has all the parts in it."""
        async def look():
            stanza = ""
            while not all(part in stanza for part in parts):
                stanza = await self.got.get()

        try:
            await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise SystemExit(f"{self.boundjid} waits in vain for a stanza with {parts}") from None


async def act(name: str):
    print(name, flush=True)
    if not await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        sys.exit("the test has ended")


async def main(port: int):
    await act("they come")
    alice = await User("alice@localhost/phone").come(port)
    bob = await User("bob@localhost/desk").come(port)
    tablet = await User("bob@localhost/tablet ☎").come(port)
    for user in (alice, bob, tablet):
        user.say("<presence><show>chat</show></presence>")
    await tablet.sees("<presence", "from=\"bob@localhost/desk\"")
    tablet.say("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    await tablet.sees("carbons", "result")

    await act("they talk")
    alice.say(
        "<message type='chat' to='Bob@LocalHost/desk' id='1'><body>Hi &lt;b&gt;Bob&lt;/b&gt; &amp; ❤️🦀 "
        "]]&gt;</body><request xmlns='urn:xmpp:receipts'/></message>"
    )
    await bob.sees("❤️🦀")
    await tablet.sees("urn:xmpp:carbons:2", "received", "❤️🦀")
    bob.say("<message type='chat' to='alice@localhost/phone'><received xmlns='urn:xmpp:receipts' id='1'/></message>")
    bob.say("<message type='chat' to='alice@localhost'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
    bob.say(
        "<message to=\"alice@localhost\" type=\"chat\"><body xml:lang='de'>Hallo</body><body><![CDATA[<Hello>]]>"
        "&#x1F44B;</body></message>"
    )
    await alice.sees("👋")
    await tablet.sees("urn:xmpp:carbons:2", "sent", "👋")
    alice.say("<message to='bob@localhost/desk'><body>a note, of type normal</body></message>")
    await bob.sees("of type normal")
    alice.say(
        "<message type='chat' to='bob@localhost/desk'><body>look</body><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' type='chat' from='carol@localhost' to='alice@localhost'><body>old</body>"
        "</message></forwarded></message>"
    )
    await bob.sees("look", "urn:xmpp:forward:0")
    alice.say("<message type='chat' to='alice@localhost'><body>milk</body></message>")
    await alice.sees("milk")

    await act("they meet")
    join = "<presence to='{}/{}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    alice.say(join.format(ROOM, "Alice ☃"))
    await alice.sees("<presence", ROOM, "code=\"110\"")
    alice.say(
        f"<iq type='set' to='{ROOM}' id='open'><query xmlns='http://jabber.org/protocol/muc#owner'>"
        "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
    )
    await alice.sees("id=\"open\"", "result")
    bob.say(join.format(ROOM, "Bob"))
    await bob.sees("<presence", ROOM, "code=\"110\"")
    alice.say(f"<message type='groupchat' to='{ROOM}'><body>Hi all</body></message>")
    await alice.sees("groupchat", "Hi all")
    await bob.sees("groupchat", "Hi all")
    bob.say(f"<message type='chat' to='{ROOM}/Alice ☃'><body>psst</body></message>")
    await alice.sees("psst", f"{ROOM}/Bob")

    await act("the broker is away")
    alice.say("<message type='chat' to='bob@localhost/desk'><body>meanwhile</body></message>")
    await bob.sees("meanwhile")

    await act("they go")
    tablet.abort()
    await bob.sees("unavailable", "bob@localhost/tablet ☎")
    alice.say(f"<presence type='unavailable' to='{ROOM}/Alice ☃'/>")
    await bob.sees("unavailable", f"{ROOM}/Alice")
    alice.say("<presence type='unavailable'/>")
    await alice.disconnect()
    await bob.disconnect()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main(int(sys.argv[1])))

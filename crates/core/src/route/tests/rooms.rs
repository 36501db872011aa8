//! What rooms send, and what users send to rooms.

use super::*;

#[test]
fn what_a_room_sends_to_its_occupants_is_received() {
    let own = Routing { muc_host: "muc.@HOST@".to_owned(), ..routing() };
    let hosts = BTreeMap::from([("example.org".to_owned(), own)]);
    let router = Router::new(&routing(), &hosts, &Plugins::default(), RULES).unwrap();
    let stanza = |kind: &str, from: &str, to: &str| {
        let payload = format!("<message type='{kind}' from='{from}' to='{to}'><body/></message>");
        let envelope = Envelope { payload: payload.into_bytes(), ..Envelope::default() };
        match decode(&envelope, Format::Xmpp) {
            Ok(Decoded::Event(event)) => match router.route(&event, &envelope) {
                Ok(Routed::Notification(it)) => {
                    it.topic.as_str().rsplit(':').next().unwrap().to_owned()
                }
                Ok(Routed::Skip(reason)) => reason.to_string(),
                Err(letter) => letter.error,
            },
            other => panic!("{other:?}"),
        }
    };
    for (kind, from, to, expected) in [
        ("groupchat", "a@localhost/x", "r@conference.localhost", "rooms"),
        ("groupchat", "r@conference.localhost/a", "a@localhost/x", "received"),
        ("groupchat", "r@conference.localhost", "a@localhost/x", "received"),
        // A private message, on its way to the room and from it.
        ("chat", "a@localhost/x", "r@conference.localhost/b", "messages"),
        ("chat", "r@conference.localhost/a", "b@localhost/y", "received"),
        // Of a further MUC host, and by the recipient's own policy.
        ("chat", "r@rooms.partner.example/a", "b@localhost/y", "received"),
        ("chat", "r@muc.example.org/a", "b@example.org/y", "received"),
        ("chat", "r@conference.example.org/a", "b@example.org/y", "messages"),
        // Of a room that nobody knows: it is not published as a room's.
        ("groupchat", "r@conference.elsewhere/a", "a@localhost/x", "muc_host_unmatched"),
        ("chat", "a@localhost", "b@localhost", "messages"),
        ("chat", "a@elsewhere", "b@localhost", "messages"),
    ] {
        assert_eq!(stanza(kind, from, to), expected, "{kind} from {from} to {to}");
    }
    // Whoever says who wrote is believed.
    let native = message("chat", "r@conference.localhost/a", "b@localhost", "x");
    assert_eq!(destination(&router, &native), "messages");
}

#[test]
fn rooms_and_users_of_one_domain_can_not_be_told_apart() {
    let router = router_of(&Routing { muc_host: "@HOST@".to_owned(), ..routing() });
    let payload = "<message type='chat' from='a@localhost' to='b@localhost'><body/></message>";
    let envelope = Envelope { payload: payload.into(), ..Envelope::default() };
    let Ok(Decoded::Event(event)) = decode(&envelope, Format::Xmpp) else { panic!() };
    assert!(matches!(router.route(&event, &envelope), Ok(Routed::Notification(_))));
}

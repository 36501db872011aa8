//! Sample texts of chat messages: mostly short, now and then long, in several scripts.

use fastrand::Rng;

const SHORT: [&str; 24] = [
    "ok",
    "yes",
    "no",
    "👍",
    "😂",
    "thanks!",
    "on my way",
    "see you",
    "hm?",
    "sure",
    "lol",
    "brb",
    "+1",
    "done",
    "danke!",
    "merci 🙏",
    "kjempebra",
    "да",
    "はい",
    "好的",
    "تمام",
    "teşekkürler",
    "where are you?",
    "haha",
];

const SENTENCES: [&str; 24] = [
    "Can you look at the build when you have a minute?",
    "I'll be ten minutes late, start without me.",
    "Lunch at half past twelve?",
    "The new office has a coffee machine that actually works ☕",
    "Did anyone else get logged out just now?",
    "Morgen früh wäre mir lieber, passt dir neun Uhr?",
    "Я буду дома около восьми.",
    "会議は三時からに変わりました。",
    "On se retrouve devant la gare ?",
    "Let's move that to Thursday, the room is taken on Wednesday.",
    "He said \"maybe\", which means no.",
    "I've sent you the slides; page 7 still needs a picture.",
    "Who has the key to the bike shed?",
    "That <b>is not</b> what I meant & you know it :)",
    "It's raining again. Take an umbrella.",
    "Happy birthday!! 🎂🎉",
    "The train is cancelled, I'm taking the bus.",
    "Could you call me back before five?",
    "Deployed to staging, looks good so far.",
    "No idea, ask Olga, she was there.",
    "¿Alguien quiere ir al cine el viernes?",
    "Remember to water the plants 🪴",
    "هل وصلت بالسلامة؟",
    "I can't find it anywhere, are you sure it was in the blue folder?",
];

/// A text. Half are a few words, most others a sentence or two, one in a hundred is what somebody
/// has pasted.
pub(super) fn message(random: &mut Rng) -> String {
    match random.u8(0..100) {
        0..50 => pick(random, &SHORT).to_owned(),
        50..99 => sentences(random, 4),
        _ => sentences(random, 40),
    }
}

fn sentences(random: &mut Rng, most: usize) -> String {
    let count = random.usize(1..=most);
    let chosen: Vec<_> = (0..count).map(|_| pick(random, &SENTENCES)).collect();
    chosen.join(" ")
}

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(0..from.len())]
}

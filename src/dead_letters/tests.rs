use super::{DeadLetters, Filter, Replay, Stop};

fn is_send(_: &impl Send) {}

/// Never run: that it compiles is the proof.
fn each_operation(letters: &DeadLetters, filter: &Filter, replay: &Replay, stop: &Stop) {
    is_send(&letters.list(filter, stop, |_| {}));
    is_send(&letters.find("3f1c", stop));
    is_send(&letters.replay(filter, replay, stop, |_| {}));
    is_send(&letters.export(filter, stop, Vec::new()));
    is_send(&letters.discard(filter, stop, async |_| true));
}

/// The handlers of a server do.
#[test]
fn what_looks_after_dead_letters_may_move_between_threads() {
    let _ = each_operation;
}

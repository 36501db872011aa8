//! The table of permissions is what `tests/promises/permissions/commands.rs` tries.

use std::fmt::Write;

use super::assert_generated;

#[allow(unreachable_pub, reason = "a module of the promises, too")]
#[path = "../promises/permissions/least.rs"]
mod least;

const BEGIN: &str = "<!-- permissions: generated from tests/promises/permissions/least.rs; \
                     UPDATE_DOCUMENTS=1 cargo test --test documents -->\n";
const END: &str = "<!-- end of permissions -->";

fn shown(places: &str) -> String {
    let name = |place| match place {
        "D" => "`amq.default`",
        "LOOK" => "`DQ.look`",
        "FC" => "`NAME.fleet.control`",
        other => other,
    };
    places.split_whitespace().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_permissions_table_lists_what_each_command_needs() {
    let mut table = "| | configure | write | read |\n| --- | --- | --- | --- |\n".to_owned();
    for least in least::ALL {
        let [configure, write, read] = [least.configure, least.write, least.read].map(shown);
        writeln!(table, "| {} | {configure} | {write} | {read} |", least.command).unwrap();
    }
    assert_generated("docs/security.md", BEGIN, END, &table);
}

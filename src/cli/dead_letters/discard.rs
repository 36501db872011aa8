use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use tokio::sync::oneshot;

use super::archive::NewFile;
use super::{CommandContext, ExitStatus, dead_letters, print_error, print_line};
use crate::dead_letters::{DeadLettersError, Discarded, Filter};

impl CommandContext<'_> {
    pub(super) async fn discard(
        &self,
        filter: Filter,
        yes: bool,
        export: Option<&Path>,
    ) -> Result<ExitStatus, DeadLettersError> {
        if !yes && !std::io::stdin().is_terminal() {
            print_error(
                "discarded letters can't be restored, so `discard` asks for confirmation, and standard input is not a terminal: confirm with --yes",
            );
            return Ok(ExitStatus::WrongArguments);
        }
        let may = async |count| yes || self.confirms(count).await;
        let Discarded { counts, done } = match export {
            None => self.dead_letters.discard(&filter, self.stop, may).await?,
            Some(path) => {
                let Some(new) = NewFile::create(path) else { return Ok(ExitStatus::Failed) };
                let to = BufWriter::new(&new.file);
                let keep = |_written| new.keep();
                let discarded =
                    self.dead_letters.export_and_discard(&filter, self.stop, to, keep, may).await?;
                // From the first letter that goes, the file is all that is left of it.
                if !discarded.done {
                    new.give_up();
                }
                discarded
            }
        };
        let end = self.exit_status(&counts);
        if counts.claimed > 0 {
            let letters = dead_letters(counts.claimed);
            print_error(&format!(
                "not discarded: {letters} whose time of dead-lettering is only claimed (`list` marks them). Select them \
                 with other filters, or add --claimed-times to trust the claimed times"
            ));
        }
        if self.found_none(&counts, &filter) {
            return Ok(end);
        }
        if !done {
            print_line("nothing was discarded");
            return Ok(end);
        }
        let exported =
            export.map(|it| format!("; {} contains them", it.display())).unwrap_or_default();
        print_line(&format!("discarded {}{exported}", dead_letters(counts.matching)));
        Ok(end)
    }

    /// Asks at the terminal. Told to stop means no.
    async fn confirms(&self, count: u64) -> bool {
        let (count, queue) = (dead_letters(count), self.queue());
        let mut terminal = anstream::stderr();
        let asked =
            write!(terminal, "Discard {count} of `{queue}`? They can't be restored. [y/N] ");
        if asked.and_then(|()| terminal.flush()).is_err() {
            return false;
        }
        let (tell, told) = oneshot::channel();
        // A thread of its own, so that the broker is answered meanwhile; it ends with the program.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = std::io::stdin().read_line(&mut answer);
            let answer = answer.trim().to_ascii_lowercase();
            let _ = tell.send(read.is_ok() && matches!(answer.as_str(), "y" | "yes"));
        });
        let mut stop = self.stop.clone();
        tokio::select! {
            answer = told => answer.unwrap_or(false),
            _ = stop.wait_for(|stop| *stop) => false,
        }
    }
}

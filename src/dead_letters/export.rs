//! Copies dead letters into an archive.

use std::io::Write;

use super::archive::Writer;
use super::filter::Filter;
use super::reading::Reading;
use super::selector::Keep;
use super::{BrowseCounts, DeadLetters, DeadLettersError, Discarded, Stop};

impl DeadLetters {
    /// Copies the letters that the filter means, in their order. They stay in the queue.
    ///
    /// # Errors
    ///
    /// As [`Self::list`], or `to` can't be written; what is written then is no whole archive.
    pub async fn export(
        &self,
        filter: &Filter,
        stop: &Stop,
        to: impl Write,
    ) -> Result<BrowseCounts, DeadLettersError> {
        let mut reading = self.read(filter, Keep::All, stop).await?;
        let exported = write(&mut reading, Writer::new(to, self.queue())).await;
        reading.browser.close().await;
        exported.map(|_| reading.counts)
    }

    /// Exports them, and then discards just those. `safe` makes sure that the archive is on
    /// the disk, and `may` is asked with their number while they are held.
    ///
    /// # Errors
    ///
    /// As [`Self::export`], and then nothing is discarded, and [`Self::discard`].
    pub async fn export_and_discard<W: Write>(
        &self,
        filter: &Filter,
        stop: &Stop,
        to: W,
        safe: impl FnOnce(W) -> std::io::Result<()>,
        may: impl AsyncFnOnce(u64) -> bool,
    ) -> Result<Discarded, DeadLettersError> {
        let mut reading = self.read(filter, Keep::All, stop).await?.excluding_claimed_times(filter);
        let discard = async {
            let (to, tags) = write(&mut reading, Writer::new(to, self.queue())).await?;
            safe(to)?;
            reading.discard(tags, may).await
        };
        let discarded = discard.await;
        reading.browser.close().await;
        discarded
    }
}

async fn write<W: Write>(
    reading: &mut Reading,
    writer: std::io::Result<Writer<W>>,
) -> Result<(W, Vec<u64>), DeadLettersError> {
    let mut writer = writer?;
    let mut tags = Vec::new();
    while let Some((tag, seen)) = reading.next().await? {
        if let Some(mut kept) = seen.message {
            writer.add(std::mem::take(&mut kept.message))?;
            tags.push(tag);
        }
    }
    Ok((writer.finish()?, tags))
}

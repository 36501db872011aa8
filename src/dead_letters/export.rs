//! Copies dead letters into an archive.

use std::io::Write;

use super::archive::Writer;
use super::filter::Filter;
use super::reading::Reading;
use super::selector::Keep;
use super::turn::Turn;
use super::{BrowseCounts, DeadLetters, DeadLettersError, Discarded, Stop};

/// Bytes of a part of an archive, unless a letter is larger.
const PART: usize = 64 * 1024;

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
        let mut reading = self.read(Turn::Patient, filter, Keep::All, stop).await?;
        let exported = write(&mut reading, Writer::new(to, self.queue())).await;
        reading.browser.close().await;
        exported.map(|_| reading.counts)
    }

    /// [`Self::export`] in parts of an archive, each of which `send` takes before the next one is read: a slow receiver keeps the
    /// broker waiting and fills no memory.
    ///
    /// # Errors
    ///
    /// As [`Self::export`].
    pub async fn export_in_parts(
        &self,
        filter: &Filter,
        stop: &Stop,
        mut send: impl AsyncFnMut(Vec<u8>) -> std::io::Result<()>,
    ) -> Result<BrowseCounts, DeadLettersError> {
        let mut reading = self.read(Turn::Patient, filter, Keep::All, stop).await?;
        let export = async {
            let mut writer = Writer::new(Vec::new(), self.queue())?;
            while let Some((_, seen)) = reading.next().await? {
                if let Some(mut kept) = seen.message {
                    writer.add(std::mem::take(&mut kept.message))?;
                    if writer.written() >= PART {
                        send(writer.take()).await?;
                    }
                }
            }
            send(writer.finish()?).await?;
            Ok(reading.counts.clone())
        };
        let exported = export.await;
        reading.browser.close().await;
        exported
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
        let reading = self.read(Turn::NotBehindReplay, filter, Keep::All, stop).await?;
        let mut reading = reading.excluding_claimed_times(filter);
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

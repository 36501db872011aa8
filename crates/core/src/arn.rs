//! The ARN of an SNS topic: parsed, or built from region, account and name.

mod region;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::region::{misspelt_region, similar_region};

/// The suffix by which SNS tells a FIFO topic from a standard one.
const FIFO_SUFFIX: &str = ".fifo";

/// SNS's limit for a topic's name, the `.fifo` suffix included.
const MAX_NAME_BYTES: usize = 256;

/// The partitions other than `aws`, by the beginning of their regions' names.
const PARTITIONS: &[(&str, &str)] = &[
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// A valid topic ARN, `arn:{partition}:sns:{region}:{account_id}:{name}`, and by which of the configured
/// accesses to SNS it is reached. Cheap to clone.
///
/// The same ARN by another access is another topic: it has requests, and holds, of its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("format" = "topic"))]
pub struct TopicArn(Arc<str>, AccessId);

/// The number of an access to SNS (endpoint and credentials) in the configuration; 0 is that of `[sns]`.
pub type AccessId = u16;

/// Why a text is not a topic ARN, or can't be part of one. Reads as the end of a
/// sentence whose subject is the invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not six parts between colons.
    #[error(
        "has {0} parts between colons; a topic's ARN has 6: arn:PARTITION:sns:REGION:ACCOUNT:TOPIC"
    )]
    Parts(usize),
    /// The first part is not `arn`.
    #[error("doesn't begin with `arn:`")]
    Prefix,
    /// The second part is no AWS partition.
    #[error("has `{0}` for its partition, which is `aws` or begins with `aws-`")]
    Partition(String),
    /// The ARN of something other than a topic.
    #[error("is an ARN of the service `{0}`, not of `sns`")]
    Service(String),
    /// The region is empty or has characters that no region has.
    #[error(
        "has `{0}` for its region, which is lower-case letters, digits and hyphens, as in `eu-west-1`"
    )]
    Region(String),
    /// The account id is not 12 digits.
    #[error("has `{0}` for its account id, which is 12 digits")]
    AccountId(String),
    /// No name.
    #[error("has no topic name")]
    NameEmpty,
    /// More than 256 characters.
    #[error("has a topic name of {0} characters; SNS allows 256, `.fifo` included")]
    NameTooLong(usize),
    /// A character that no topic name has.
    #[error(
        "has {0:?} in its topic name; SNS allows A-Z, a-z, 0-9, `-`, `_` and the ending `.fifo`"
    )]
    NameCharacter(char),
}

impl TryFrom<String> for TopicArn {
    type Error = ArnError;

    fn try_from(arn: String) -> Result<Self, ArnError> {
        Self::parse(&arn)
    }
}

impl TopicArn {
    /// Reads a whole ARN and takes it as it is: whether its partition suits its region
    /// is for AWS to say.
    ///
    /// # Errors
    ///
    /// Any [`ArnError`], for the first part that is wrong.
    pub fn parse(arn: &str) -> Result<Self, ArnError> {
        faults(arn).into_iter().next().map_or_else(|| Ok(Self(arn.into(), 0)), Err)
    }

    /// Makes the ARN of the topic `name`, in the partition to which `region` belongs.
    ///
    /// # Errors
    ///
    /// [`ArnError`] for a region, account id or name that AWS would not have given.
    pub fn build(region: &str, account_id: &str, name: &str) -> Result<Self, ArnError> {
        check_region(region)?;
        check_account_id(account_id)?;
        check_name(name)?;
        let partition = partition(region);
        Ok(Self(format!("arn:{partition}:sns:{region}:{account_id}:{name}").into(), 0))
    }

    /// The same topic, reached otherwise.
    #[must_use]
    pub fn by(self, access: AccessId) -> Self {
        Self(self.0, access)
    }

    /// By which access it is reached.
    #[must_use]
    pub const fn access(&self) -> AccessId {
        self.1
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region, such as `eu-west-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The owner's account id, 12 digits.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.part(4)
    }

    /// The topic's name, with the suffix `.fifo` where it has it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.part(5)
    }

    /// Whether this is a FIFO topic, which SNS marks in the name.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }

    fn part(&self, index: usize) -> &str {
        // Both constructors see to six parts.
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for TopicArn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Everything that is wrong with a whole ARN, from its first part to its last.
#[must_use]
pub fn faults(arn: &str) -> Vec<ArnError> {
    let parts: Vec<&str> = arn.split(':').collect();
    let &[prefix, partition, service, region, account_id, name] = parts.as_slice() else {
        return vec![ArnError::Parts(parts.len())];
    };
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    let all = [
        (prefix != "arn").then_some(ArnError::Prefix),
        (!is_partition).then(|| ArnError::Partition(partition.to_owned())),
        (service != "sns").then(|| ArnError::Service(service.to_owned())),
        check_region(region).err(),
        check_account_id(account_id).err(),
        check_name(name).err(),
    ];
    all.into_iter().flatten().collect()
}

fn partition(region: &str) -> &'static str {
    PARTITIONS
        .iter()
        .find(|(beginning, _)| region.starts_with(beginning))
        .map_or("aws", |(_, partition)| partition)
}

/// Checks the form of a region's name. Which regions exist is for AWS to say: there are
/// new ones every year, and emulators have their own.
///
/// # Errors
///
/// [`ArnError::Region`].
pub fn check_region(region: &str) -> Result<(), ArnError> {
    let form = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.is_empty()
        || region.starts_with('-')
        || region.ends_with('-')
        || !region.chars().all(form)
    {
        return Err(ArnError::Region(region.to_owned()));
    }
    Ok(())
}

/// Checks that an account id is 12 digits.
///
/// # Errors
///
/// [`ArnError::AccountId`].
pub fn check_account_id(account_id: &str) -> Result<(), ArnError> {
    if account_id.len() != 12 || !account_id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ArnError::AccountId(account_id.to_owned()));
    }
    Ok(())
}

/// Checks the name of a topic.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), ArnError> {
    let stem = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    if stem.is_empty() {
        return Err(ArnError::NameEmpty);
    }
    if let Some(stranger) = stem.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_".contains(*c))
    {
        return Err(ArnError::NameCharacter(stranger));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(ArnError::NameTooLong(name.len()));
    }
    Ok(())
}

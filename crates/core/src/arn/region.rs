//! The names of regions.

use crate::nearest::nearest_word;

/// The regions of AWS, to tell a misspelt one. Source: `partitions.json` of the AWS SDKs, November 2026.
const REGIONS: [&str; 41] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-west-1",
    "us-west-2",
];

/// The region that was most likely meant by one that has not the form `area-direction-number` of all regions of AWS, such
/// as `eu-west1`. One of that form may be new, and one that is near none may be an emulator's.
#[must_use]
pub fn misspelt_region(region: &str) -> Option<&'static str> {
    let number = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit());
    let is_usual =
        region.rsplit_once('-').is_some_and(|(place, last)| number(last) && place.contains('-'));
    if is_usual { None } else { nearest_word(region, &REGIONS) }
}

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
    if is_usual(region) { None } else { nearest_word(region, &REGIONS) }
}

/// The region that may have been meant by one that has the form of all regions but is none that is known, such as
/// `us-esat-1`. It may be new all the same.
#[must_use]
pub fn similar_region(region: &str) -> Option<&'static str> {
    let is_unknown = is_usual(region) && !REGIONS.contains(&region);
    if is_unknown { nearest_word(region, &REGIONS) } else { None }
}

fn is_usual(region: &str) -> bool {
    let number = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit());
    region.rsplit_once('-').is_some_and(|(place, last)| number(last) && place.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_is_near_a_known_one_is_either_misspelt_or_may_be_new() {
        for (region, misspelt, similar) in [
            ("us-east-1", None, None),
            ("us-esat-1", None, Some("us-east-1")),
            ("eu-wset-3", None, Some("eu-west-3")),
            ("eu-west1", Some("eu-west-1"), None),
            ("us-local-1", None, None),
            ("local", None, None),
        ] {
            let found = (misspelt_region(region), similar_region(region));
            assert_eq!(found, (misspelt, similar), "{region}");
        }
        assert!(similar_region("us-east-9").is_some(), "a number may be misspelt, too");
    }
}

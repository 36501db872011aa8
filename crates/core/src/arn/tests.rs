//! What an ARN is made of.

use super::*;

const ACCOUNT: &str = "123456789012";

#[test]
fn every_region_gets_the_partition_it_belongs_to() {
    for (region, partition) in [
        ("eu-west-1", "aws"),
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let arn = TopicArn::build(region, ACCOUNT, "t").unwrap();
        assert_eq!(arn.as_str(), format!("arn:{partition}:sns:{region}:{ACCOUNT}:t"));
    }
}

#[test]
fn what_was_built_is_parsed_back_into_the_same_parts() {
    let built = TopicArn::build("eu-west-1", ACCOUNT, "user_messages-1.fifo").unwrap();
    let parsed = TopicArn::parse(built.as_str()).unwrap();
    assert_eq!(parsed, built);
    assert_eq!(parsed.region(), "eu-west-1");
    assert_eq!(parsed.account_id(), ACCOUNT);
    assert_eq!(parsed.name(), "user_messages-1.fifo");
    assert!(parsed.is_fifo());
    assert!(!TopicArn::build("eu-west-1", ACCOUNT, "fifo").unwrap().is_fifo());
}

#[test]
fn an_arn_is_taken_as_it_is_even_if_partition_and_region_differ() {
    let text = "arn:aws:sns:cn-north-1:000000000000:t";
    assert_eq!(TopicArn::parse(text).unwrap().to_string(), text);
}

#[test]
fn every_wrong_part_has_an_error_of_its_own() {
    for (text, error) in [
        ("t", ArnError::Parts(1)),
        ("arn:aws:sns:eu-west-1:123456789012:t:0aa0c5ad", ArnError::Parts(7)),
        ("ARN:aws:sns:eu-west-1:123456789012:t", ArnError::Prefix),
        ("arn:azure:sns:eu-west-1:123456789012:t", ArnError::Partition("azure".into())),
        ("arn:aws:sqs:eu-west-1:123456789012:t", ArnError::Service("sqs".into())),
        ("arn:aws:sns:EU:123456789012:t", ArnError::Region("EU".into())),
        ("arn:aws:sns::123456789012:t", ArnError::Region(String::new())),
        ("arn:aws:sns:eu-west-1:12345678901:t", ArnError::AccountId("12345678901".into())),
        ("arn:aws:sns:eu-west-1:123456789012:", ArnError::NameEmpty),
        ("arn:aws:sns:eu-west-1:123456789012:.fifo", ArnError::NameEmpty),
        ("arn:aws:sns:eu-west-1:123456789012:a.b", ArnError::NameCharacter('.')),
        ("arn:aws:sns:eu-west-1:123456789012:ünread", ArnError::NameCharacter('ü')),
    ] {
        assert_eq!(TopicArn::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_topic_name_has_at_most_256_characters_suffix_included() {
    assert!(TopicArn::build("eu-west-1", ACCOUNT, &"t".repeat(256)).is_ok());
    let fifo = format!("{}.fifo", "t".repeat(252));
    assert_eq!(TopicArn::build("eu-west-1", ACCOUNT, &fifo), Err(ArnError::NameTooLong(257)));
}

#[test]
fn a_region_that_is_misspelt_is_told_from_a_new_one_and_from_an_emulators() {
    for (region, meant) in [
        ("eu-west1", Some("eu-west-1")),
        ("useast-1", Some("us-east-1")),
        ("us-gov-west1", Some("us-gov-west-1")),
        ("eu-west-1", None),
        ("eu-west-9", None),
        ("local", None),
        ("emulator", None),
    ] {
        assert_eq!(misspelt_region(region), meant, "{region}");
    }
}

#[test]
fn all_that_is_wrong_with_an_arn_is_told_at_once() {
    let all = faults("arn:azure:sqs:EU:1:a b");
    let expected = [
        ArnError::Partition("azure".into()),
        ArnError::Service("sqs".into()),
        ArnError::Region("EU".into()),
        ArnError::AccountId("1".into()),
        ArnError::NameCharacter(' '),
    ];
    assert_eq!(all, expected);
    assert!(faults("arn:aws:sns:eu-west-1:123456789012:t").is_empty());
}

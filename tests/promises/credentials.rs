//! Where AWS credentials are to come from, and why there are none.

use crate::support::{Ended, Program, Stand};

/// What a credential process writes and nobody may show.
const PLANTED: &str = "planted-7f3a";

/// Names and contents of files, or names and values of variables.
type Named<'a> = &'a [(&'a str, &'a str)];

/// What `check` says where keys are neither in the configuration nor anywhere but in `files` of the home and in `variables`.
async fn check(stand: &Stand, files: Named<'_>, variables: Named<'_>) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with("SNS__ACCESS_KEY_ID", "")
        .with("SNS__SECRET_ACCESS_KEY", "")
        .with("LOG__FILTER", "trace")
        .with_variable("PATH", "/usr/bin:/bin")
        .with_variable("AWS_EC2_METADATA_DISABLED", "true");
    let program = files.iter().fold(program, |it, (name, text)| it.with_file(name, text));
    let home = program.directory().to_str().unwrap().to_owned();
    let program = program.with_variable("HOME", &home);
    variables.iter().fold(program, |it, (name, value)| it.with_variable(name, value)).run().await
}

#[tokio::test]
async fn each_reason_for_no_credentials_is_one_problem_with_words_of_its_own() {
    let stand = Stand::new("credentials").await;
    let process =
        format!("[default]\ncredential_process = /bin/sh -c \"echo {PLANTED} >&2; exit 1\"");
    let role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n\n\
                [profile base]\ncredential_process = /absent/helper";
    let sso = "[default]\nsso_start_url = https://sso.invalid\nsso_region = us-east-1\n\
               sso_account_id = 123456789012\nsso_role_name = r";
    let token = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/absent/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
    ];
    let half = [("AWS_ACCESS_KEY_ID", PLANTED)];
    let absent = [("AWS_PROFILE", "absent")];
    let cases: [(&str, Named<'_>, &str); 7] = [
        ("", &[], "there are none: no keys in the environment"),
        ("", &half, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY"),
        ("", &absent, "AWS_PROFILE names absent, which is no profile"),
        (
            &process,
            &[],
            "the credential_process of the AWS profile default can't be started, fails",
        ),
        (role, &[], "the role of the AWS profile default can't be assumed"),
        (sso, &[], "no valid SSO token for the AWS profile default"),
        ("", &token, "AWS_WEB_IDENTITY_TOKEN_FILE names /absent/token, which can't be read"),
    ];
    for (file, variables, expected) in cases {
        let ended = check(&stand, &[(".aws/config", file)], variables).await;
        assert_eq!(ended.code, Some(1), "{expected}: {}", ended.all());
        let bad: Vec<_> = ended.stdout.lines().filter(|line| line.starts_with("✗ ")).collect();
        assert_eq!(bad.len(), 1, "{expected}: {}", ended.stdout);
        assert!(bad[0].contains(expected), "{}\ninstead of\n{expected}", bad[0]);
        assert!(!ended.all().contains(PLANTED), "{}", ended.all());
    }
}

#[tokio::test]
async fn keys_of_a_profile_and_of_a_credential_process_are_used() {
    let stand = Stand::new("credentials-used").await;
    let keys = "[default]\naws_access_key_id = test\naws_secret_access_key = test";
    let process = "[default]\ncredential_process = /bin/cat answer.json";
    let answer = r#"{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}"#;
    for (file, text) in
        [(".aws/credentials", keys), (".aws/config", keys), (".aws/config", process)]
    {
        let ended = check(&stand, &[(file, text), ("answer.json", answer)], &[]).await;
        assert_eq!(ended.code, Some(0), "{text}: {}", ended.all());
    }
}

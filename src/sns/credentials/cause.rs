//! Why the default chain has no credentials, in words of our own: by the part that failed, and by what is set up for it.

use std::error::Error;

use aws_config::profile::{self, ProfileSet};
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::untrusted::one_line;

/// Bytes of a profile's or a file's name that are shown.
const LONGEST_NAME: usize = 200;

/// A part of the default chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Variables with keys.
    Environment,
    /// A profile of the AWS configuration files: keys, a role, SSO or a credential process.
    Profile,
    /// A token in a file, as Kubernetes' service accounts have it.
    WebIdentity,
    /// The endpoint that a container or pod is told.
    Container,
    /// The metadata service of an EC2 instance.
    Instance,
}

/// What happened, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(String);

impl Cause {
    /// Of the part that failed; `None`: no part is set up.
    pub(super) async fn of(failed: Option<Part>, environment: &Env, fs: &Fs) -> Self {
        Self(match failed {
            Some(Part::Profile) => match profiles(environment, fs).await {
                Some(profiles) => of_profile(&profiles),
                None => UNREADABLE.to_owned(),
            },
            Some(Part::WebIdentity) => of_web_identity(environment, fs).await,
            Some(Part::Container) => CONTAINER.to_owned(),
            Some(Part::Instance) => INSTANCE.to_owned(),
            Some(Part::Environment) | None => of_none(environment, fs).await,
        })
    }

    /// What an error of the chain says; `None` if it is another one's.
    pub(super) fn within(error: &CredentialsError) -> Option<String> {
        error.source()?.downcast_ref::<Self>().map(ToString::to_string)
    }
}

const UNREADABLE: &str = "the AWS configuration files can't be read: correct ~/.aws/config and ~/.aws/credentials, or the files that \
                          AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name";

const CONTAINER: &str = "the endpoint for container credentials gave none: check AWS_CONTAINER_CREDENTIALS_FULL_URI or \
                         AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, the token in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, and the task's \
                         or pod's role";

const INSTANCE: &str = "the instance's metadata service gave none: attach an IAM role to the instance, and let containers reach the \
                        service (hop limit 2)";

const NOTHING: &str = "there are none: no keys in the environment, no AWS profile with credentials, no web identity, no container role, \
                       and no instance role (or its metadata service can't be reached)";

async fn profiles(environment: &Env, fs: &Fs) -> Option<ProfileSet> {
    profile::load(fs, environment, &EnvConfigFiles::default(), None).await.ok()
}

fn of_profile(profiles: &ProfileSet) -> String {
    let name = one_line(profiles.selected_profile(), LONGEST_NAME);
    let has = |key: &str| profiles.get(key).is_some();
    if has("sso_session") || has("sso_start_url") {
        format!(
            "there is no valid SSO token for the AWS profile {name}, or its account or role is refused: run `aws sso login --profile {name}` \
             as the worker's user"
        )
    } else if has("role_arn") && has("web_identity_token_file") {
        format!(
            "the role of the AWS profile {name} can't be assumed with its web_identity_token_file: check that file, role_arn and the \
             role's trust policy"
        )
    } else if has("role_arn") {
        format!(
            "the role of the AWS profile {name} can't be assumed: check role_arn, the role's trust policy, and the credentials of its \
             source_profile or credential_source"
        )
    } else if has("credential_process") {
        format!(
            "the credential_process of the AWS profile {name} can't be started, fails, or prints no valid credentials: run its command by \
             hand, as the worker's user"
        )
    } else {
        format!(
            "the AWS profile {name} is invalid: check that it has both aws_access_key_id and aws_secret_access_key, or a role or process \
             that gives them"
        )
    }
}

async fn of_web_identity(environment: &Env, fs: &Fs) -> String {
    let file = variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE").unwrap_or_default();
    let shown = one_line(&file, LONGEST_NAME);
    match fs.read_to_end(&file).await {
        Err(error) => format!(
            "AWS_WEB_IDENTITY_TOKEN_FILE names {shown}, which can't be read ({}): check the service account of the pod and the volume \
             with its token",
            error.kind()
        ),
        Ok(_) => format!(
            "STS gave none for the role in AWS_ROLE_ARN and the token in {shown}: check the role's trust policy, and that the network \
             reaches STS"
        ),
    }
}

async fn of_none(environment: &Env, fs: &Fs) -> String {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ];
    for (first, second) in pairs {
        match (variable(environment, first), variable(environment, second)) {
            (Some(_), None) => return format!("{first} is set without {second}: set both"),
            (None, Some(_)) => return format!("{second} is set without {first}: set both"),
            _ => {}
        }
    }
    let Some(profiles) = profiles(environment, fs).await else { return UNREADABLE.to_owned() };
    if variable(environment, "AWS_PROFILE").is_none() {
        return NOTHING.to_owned();
    }
    let name = profiles.selected_profile();
    let shown = one_line(name, LONGEST_NAME);
    match profiles.get_profile(name) {
        None => format!(
            "AWS_PROFILE names {shown}, which is no profile of the AWS configuration files: correct it, or provide the files (~/.aws, \
             AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)"
        ),
        Some(_) => format!(
            "AWS_PROFILE names {shown}, which has no credentials: give the profile keys, a role, SSO or a credential_process"
        ),
    }
}

/// A variable that is not empty.
fn variable(environment: &Env, name: &str) -> Option<String> {
    environment.get(name).ok().filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "planted-7f3a";

    /// Names and values.
    type Variables = &'static [(&'static str, &'static str)];

    /// The part that failed, the variables, the configuration file, and how the cause begins.
    type Case = (Option<Part>, Variables, &'static str, &'static str);

    /// In the home of whoever runs the worker.
    const FILE: &str = "/home/w/.aws/config";

    async fn cause(failed: Option<Part>, variables: &[(&str, &str)], file: &str) -> String {
        let environment = Env::from_slice(&[&[("HOME", "/home/w")], variables].concat());
        let fs = Fs::from_slice(&[(FILE, file), ("/token", SECRET)]);
        let said = Cause::of(failed, &environment, &fs).await.to_string();
        assert!(!said.contains(SECRET), "{said}");
        said
    }

    #[tokio::test]
    async fn each_way_to_have_no_credentials_has_words_of_its_own() {
        let profile = Some(Part::Profile);
        let web_identity = Some(Part::WebIdentity);
        let cases: [Case; 15] = [
            (None, &[], "", "there are none: no keys"),
            (None, &[("AWS_ACCESS_KEY_ID", SECRET)], "", "AWS_ACCESS_KEY_ID is set without"),
            (
                None,
                &[("AWS_SECRET_ACCESS_KEY", SECRET)],
                "",
                "AWS_SECRET_ACCESS_KEY is set without",
            ),
            (
                None,
                &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
                "",
                "AWS_WEB_IDENTITY_TOKEN_FILE is set",
            ),
            (
                None,
                &[("AWS_PROFILE", "absent")],
                "",
                "AWS_PROFILE names absent, which is no profile",
            ),
            (
                None,
                &[("AWS_PROFILE", "bare")],
                "[profile bare]\nregion = x",
                "AWS_PROFILE names bare, which has no credentials",
            ),
            (profile, &[], "[default\n", "the AWS configuration files can't be read"),
            (
                profile,
                &[],
                "[default]\nsso_start_url = planted-7f3a",
                "there is no valid SSO token for the AWS profile default",
            ),
            (
                profile,
                &[("AWS_PROFILE", "p")],
                "[profile p]\nsso_session = s\n[sso-session s]\nsso_region = x",
                "there is no valid SSO token for the AWS profile p,",
            ),
            (
                profile,
                &[],
                "[default]\ncredential_process = /bin/x planted-7f3a",
                "the credential_process of the AWS profile default",
            ),
            (
                profile,
                &[],
                "[default]\nrole_arn = r\nsource_profile = x",
                "the role of the AWS profile",
            ),
            (
                profile,
                &[],
                "[default]\nrole_arn = r\nweb_identity_token_file = /token",
                "the role of the AWS profile default can't be assumed with its web_identity_token_file",
            ),
            (
                profile,
                &[],
                "[default]\naws_access_key_id = planted-7f3a",
                "the AWS profile default is invalid",
            ),
            (
                web_identity,
                &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/absent")],
                "",
                "AWS_WEB_IDENTITY_TOKEN_FILE names /absent, which can't be read (entity not found)",
            ),
            (
                web_identity,
                &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")],
                "",
                "STS gave none for the role in AWS_ROLE_ARN and the token in /token",
            ),
        ];
        for (failed, variables, file, expected) in cases {
            let said = cause(failed, variables, file).await;
            assert!(said.starts_with(expected), "{failed:?} {variables:?}: {said}");
        }
    }

    #[tokio::test]
    async fn a_name_is_shown_without_what_a_terminal_would_obey() {
        let said = cause(None, &[("AWS_PROFILE", "a\u{1b}[31m\nb\u{202e}")], "").await;
        assert!(said.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{said:?}");
    }
}

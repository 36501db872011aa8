//! A filter in words that everybody may read: they quote no error, no id and no message, and name no user.

use super::filter::Filter;
use crate::text::counted;

impl Filter {
    /// Which letters are meant, such as `reason rejected; 2 users`.
    #[must_use]
    pub fn words(&self) -> String {
        if self.is_empty() {
            return "all dead letters".to_owned();
        }
        let kinds: Vec<_> = self.kinds.iter().map(|it| it.label().to_owned()).collect();
        let named = [
            ("reason", &self.reasons),
            ("kind", &kinds),
            ("topic", &self.topics),
            ("source", &self.sources),
        ];
        let named = named.into_iter().filter(|(_, values)| !values.is_empty());
        let mut words: Vec<_> =
            named.map(|(name, values)| format!("{name} {}", values.join(" or "))).collect();
        let numbers = [
            (self.users.len(), "user", "users"),
            (self.rooms.len(), "room", "rooms"),
            (usize::from(self.error.is_some()), "part of an error", "parts of errors"),
            (self.ids.len(), "id", "ids"),
        ];
        let numbers = numbers.into_iter().filter(|(count, ..)| *count > 0);
        words.extend(numbers.map(|(count, one, more)| counted(count, one, more)));
        words.extend(self.since.map(|it| format!("since {it}")));
        words.extend(self.until.map(|it| format!("until {it}")));
        words.extend(self.limit.map(|it| format!("the first {it}")));
        words.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn a_filter_in_words_quotes_no_user_and_no_text() {
        assert_eq!(Filter::default().words(), "all dead letters");
        let filter = Filter {
            reasons: vec!["rejected".to_owned(), "too_large".to_owned()],
            kinds: vec![EventKind::Chat],
            users: vec![jid::Jid::new("ann@example.org").unwrap()],
            error: Some("secret".to_owned()),
            ids: vec!["m-1".to_owned(), "m-2".to_owned()],
            since: Some("2026-01-31T02:00:00Z".parse().unwrap()),
            limit: Some(7),
            ..Filter::default()
        };
        assert_eq!(
            filter.words(),
            "reason rejected or too_large; kind chat; 1 user; 1 part of an error; 2 ids; since 2026-01-31T02:00:00Z; the first 7"
        );
    }
}

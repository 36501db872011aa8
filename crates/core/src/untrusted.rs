//! Sanitizes texts of SNS, the broker, a resolver or a proxy for display: one line, of limited length, without
//! control and invisible characters.

/// The text in one visible line of at most `longest` bytes, and `…` where it was cut.
///
/// Control characters and white space become spaces; what takes no room or turns the direction of the text is
/// left out. The cost grows with the length alone.
#[must_use]
pub fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::with_capacity(text.len().min(longest));
    let mut gap = false;
    for c in text.chars() {
        if is_space(c) {
            gap = !line.is_empty();
        } else if !is_invisible(c) {
            if line.len() + usize::from(gap) + c.len_utf8() > longest {
                line.push('…');
                break;
            }
            if std::mem::take(&mut gap) {
                line.push(' ');
            }
            line.push(c);
        }
    }
    line
}

/// White space and controls.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_control() || c.is_whitespace()
}

/// Characters of no width, of changes of direction, or without a defined glyph.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
    ) || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_and_what_nobody_would_see_is_left_out() {
        assert_eq!(one_line("\u{1b}[31mred\u{9b}0m\r\n  two\tthree ", 99), "[31mred 0m two three");
        assert_eq!(one_line("ab\u{202e}c\u{200b}d\u{feff}\u{ad}e\u{e0041}", 99), "abcde");
        assert_eq!(one_line(" \u{2028}x\u{2029}\u{85}y\u{a0}ü€", 99), "x y ü€");
    }

    #[test]
    fn one_byte_too_many_is_cut() {
        assert_eq!(one_line("four", 4), "four");
        assert_eq!(one_line("fours", 4), "four…");
        assert_eq!(one_line("aü", 2), "a…", "not inside of a letter");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_one_visible_line_of_bounded_length(text: String, longest in 0..50_usize) {
            let line = one_line(&text, longest);
            prop_assert!(line.len() <= longest + '…'.len_utf8());
            prop_assert!(line.chars().all(|c| c == ' ' || !is_space(c) && !is_invisible(c)));
            prop_assert_eq!(one_line(&line, usize::MAX), line);
        }
    }
}

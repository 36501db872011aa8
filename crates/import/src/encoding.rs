//! Reads the bytes of a file as text, and says where they are none.

use super::{ImportError, Malformed};

const UTF_16: &str = "this is UTF-16, and only UTF-8 can be read; convert the file first: iconv -f UTF-16 -t UTF-8 FILE \
                      > NEW-FILE";
const OTHER: &str = "this character is not UTF-8, as MongooseIM's configuration must be here; an older file in Latin-1 \
                     can be converted first: iconv -f ISO-8859-1 -t UTF-8 FILE > NEW-FILE";

/// The text of a configuration file.
///
/// # Errors
///
/// The bytes are not UTF-8; the error has the line and the column, and how to convert the file.
pub fn decode(bytes: Vec<u8>) -> Result<String, ImportError> {
    let is_utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|error| {
        let end = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..end]);
        let what = if is_utf_16 { UTF_16 } else { OTHER };
        ImportError::Malformed(Malformed::at(&before, end, what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_is_refused_with_its_place_and_a_remedy() {
        for (bytes, expected) in [
            (&b"{loglevel, 3}.\n{a, \"\xfcber\"}."[..], ":2:6: this character is not UTF-8"),
            ("a = 1\r\nü = \"".as_bytes(), ""),
            (b"# \xc3\xbc\xe4", ":1:4: this character is not UTF-8"),
            (b"a = \"\xe2\x82", ":1:6: this character is not UTF-8"),
            (b"\xff\xfea\0", ":1:1: this is UTF-16"),
        ] {
            let said = decode(bytes.to_vec()).err().map(|it| it.to_string()).unwrap_or_default();
            assert!(said.starts_with(expected), "{said}");
            assert_eq!(said.contains("iconv -f "), !expected.is_empty(), "{said}");
        }
    }
}

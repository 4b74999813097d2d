//! Bodies of requests: JSON objects. The derived readers also take a list of the values in their order, which the description of
//! the API does not allow.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// What is read from a JSON object, and from nothing else.
pub(super) struct JsonObject<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonObject<T>, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = JsonObject<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JsonObject<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(JsonObject)
    }
}

/// Reads a member that is an object where it is there (`deserialize_with`).
pub(super) fn optional_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<JsonObject<T>>::deserialize(deserializer)?.map(|object| object.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_values_is_no_object() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Inner {
            n: u32,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[serde(default, deserialize_with = "optional_object")]
            inner: Option<Inner>,
        }
        let read = |text: &str| {
            serde_json::from_str::<JsonObject<Outer>>(text).map(|object| object.0.inner.map(|inner| inner.n))
        };
        assert_eq!(read(r#"{"inner": {"n": 1}}"#).unwrap(), Some(1));
        assert_eq!(read(r#"{"inner": null}"#).unwrap(), None);
        assert_eq!(read("{}").unwrap(), None);
        for wrong in ["[null]", r#"[{"n": 1}]"#, r#"{"inner": [1]}"#, r#"{"inner": {"m": 1}}"#, "1", "null"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! A camera's controls (brightness, exposure and the like) by the names that people write.

use v4l::control::{Description, Flags, MenuItem, Type, Value};

/// Returns the name of a control in an address: `White Balance, Automatic` is
/// `white_balance_automatic`, as `v4l2-ctl` has it.
pub(super) fn name(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// Returns whether a program may set the control with one value.
pub(super) fn settable(control: &Description) -> bool {
    let kinds =
        [Type::Integer, Type::Integer64, Type::Boolean, Type::Menu, Type::IntegerMenu, Type::Bitmask, Type::Button];
    kinds.contains(&control.typ) && !control.flags.intersects(Flags::READ_ONLY | Flags::DISABLED)
}

/// Returns the value that `text` means for `control`; `None` where it means none.
pub(super) fn value(control: &Description, text: &str) -> Option<Value> {
    if !settable(control) {
        return None;
    }
    let number = || text.parse::<i64>().ok();
    let in_range = |value: &i64| (control.minimum..=control.maximum).contains(value);
    match control.typ {
        Type::Button => Some(Value::None),
        Type::Boolean => match text {
            "1" | "on" | "true" => Some(Value::Boolean(true)),
            "0" | "off" | "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        Type::Menu | Type::IntegerMenu => {
            let items = control.items.as_deref().unwrap_or_default();
            let named = |item: &MenuItem| matches!(item, MenuItem::Name(label) if name(label) == name(text));
            let found = items.iter().find(|(index, item)| number() == Some((*index).into()) || named(item));
            found.map(|(index, _)| Value::Integer((*index).into()))
        }
        // A bitmask's minimum is none.
        Type::Bitmask => number().filter(|value| (0..=control.maximum).contains(value)).map(Value::Integer),
        _ => number().filter(in_range).map(Value::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(typ: Type, minimum: i64, maximum: i64) -> Description {
        let items = (typ == Type::Menu).then(|| {
            vec![(1, MenuItem::Name("Manual Mode".into())), (3, MenuItem::Name("Aperture Priority Mode".into()))]
        });
        let name = "Auto Exposure".to_owned();
        Description { id: 1, typ, name, minimum, maximum, step: 1, default: 0, flags: Flags::empty(), items }
    }

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        assert_eq!(name("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(name("Power Line Frequency (50/60 Hz)"), "power_line_frequency_50_60_hz");
        assert_eq!(name(""), "");
    }

    #[test]
    fn values_are_of_the_control_s_kind_and_range() {
        let brightness = control(Type::Integer, -10, 255);
        assert_eq!(value(&brightness, "-10"), Some(Value::Integer(-10)));
        assert_eq!(value(&brightness, "256"), None);
        assert_eq!(value(&brightness, "bright"), None);
        let automatic = control(Type::Boolean, 0, 1);
        assert_eq!(value(&automatic, "off"), Some(Value::Boolean(false)));
        assert_eq!(value(&automatic, "2"), None);
        let exposure = control(Type::Menu, 0, 3);
        assert_eq!(value(&exposure, "3"), Some(Value::Integer(3)));
        assert_eq!(value(&exposure, "manual_mode"), Some(Value::Integer(1)));
        assert_eq!(value(&exposure, "2"), None, "the driver has no such item");
    }

    #[test]
    fn what_only_the_driver_sets_is_not_set() {
        let read_only = Description { flags: Flags::READ_ONLY, ..control(Type::Integer, 0, 9) };
        assert_eq!(value(&read_only, "1"), None);
        assert_eq!(value(&control(Type::U8, 0, 9), "1"), None);
    }
}

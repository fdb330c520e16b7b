use std::fs;

use divita_runtime::bundle::GENRES;
use proptest::prelude::*;

use super::*;

fn fault(text: &str) -> String {
    let error = LabelTable::parse(text).expect_err(text).to_string();
    let (fault, forms) = error.split_once(". Accepted forms: CSV with").expect(&error);
    for form in ["video,label", "JSON Lines", "films/horror/a.mp4"] {
        assert!(forms.contains(form), "{forms}");
    }
    fault.to_owned()
}

#[test]
fn a_table_that_is_written_reads_the_same() {
    let text = "video,fun,\"sad, or not\",split0,split10\n\"a, b.mp4\",1,0,2,0\nc.mp4,0,0,1,1\n";
    let table = LabelTable::parse(text).expect("a good table");
    assert_eq!(table.labels, ["fun", "sad, or not"]);
    assert_eq!(table.rows, [[true, false], [false, false]]);
    assert_eq!(table.splits[1].parts, [Part::Train, Part::Validation]);
    assert_eq!(String::from_utf8(table.to_csv().expect("room")).expect("text"), text);
}

#[test]
fn the_forms_of_one_data_set_give_one_table() {
    let indicators = "video,drama,horror,split0\na.mp4,1,1,0\nd/b.mp4,0,1,2\nc.mp4,1,0,1\n";
    let table = LabelTable::parse(indicators).unwrap();
    for other in [
        "video,label,split0\na.mp4,horror|drama,0\nd/b.mp4,horror,2\nc.mp4,drama,1\n",
        // Columns in another order, spaces, a byte order mark, line ends of Windows, and names of
        // parts.
        "\u{feff}split0,Labels,Video\r\ntrain,drama | horror,a.mp4\r\n\r\ntest,horror|horror,d/b.mp4\r\nvalidation, drama ,c.mp4\r\n",
        r#"
            {"video": "a.mp4", "labels": ["horror", "drama"], "split0": "train", "year": 1980}
            {"split0": 2, "label": "horror", "video": "d/b.mp4"}

            {"video": "c.mp4", "labels": "drama", "split0": "validation"}
        "#,
    ] {
        assert_eq!(LabelTable::parse(other).unwrap(), table, "{other}");
    }
}

#[test]
fn labels_are_sorted_and_so_the_genres_of_the_paper_have_its_order() {
    let table = |labels: &[&str]| LabelTable::parse(&format!("video,label\na,{}\n", labels.join("|"))).unwrap();
    assert_eq!(table(&["b", "a", "C"]).labels, ["C", "a", "b"]);
    let mut genres = GENRES;
    genres.reverse();
    assert_eq!(table(&genres).labels, GENRES);
}

#[test]
fn a_fault_names_its_line_and_the_accepted_forms() {
    for (text, said) in [
        ("video,fun\na,1\nb,yes\n", "line 3, column fun: \"yes\" is not 0 or 1"),
        ("video,fun\r\na,1\r\n\r\nb,yes\r\n", "line 4, column fun: \"yes\" is not 0 or 1"),
        ("video,fun,split0\na,1,3\n", "line 2, column split0: \"3\" is not 0 or train, 1 or validation, 2 or test"),
        ("video,fun\na,1\na,0\n", "line 3: a is there twice"),
        ("video,fun,fun\n", "line 1: two columns are called \"fun\""),
        ("video,split0\na,1\n", "line 1: the heading has no column of a label"),
        ("", "line 1: the heading has no column of a label"),
        ("video,fun\n", "the table has no video"),
        ("video,fun\na,1\n\"b\nc\",1\nd\n", "line 5: the line has 1 values, the heading 2"),
        ("video,fun\n,1\n", "line 2: the video has no name"),
        ("video,label\na,x\nb,\n", "line 3, column label: a label is empty: give one label, or several separated by |"),
        (
            "video,labels\na,x||y\n",
            "line 2, column labels: a label is empty: give one label, or several separated by |",
        ),
        ("video,label\na,x\nb,y\na,y\n", "line 4: a is there twice: give all of its labels in one line"),
        ("video,label\na,split7\n", "line 2: a label cannot be called \"split7\": it is the name of another column"),
        ("video,label\n", "the table has no video"),
        (
            "{\"video\": \"a\", \"label\": \"x\"}\n{\"video\": \"b\"}",
            "line 2: labels: the key is missing, and label too",
        ),
        ("{\"video\": 1, \"label\": \"x\"}", "line 1: video: the key is missing, or not a string"),
        ("{\"video\": \"a\", \"labels\": [1]}", "line 1: labels: not a list of strings"),
        ("{\"video\": \"a\", \"labels\": [\"\"]}", "line 1: a label is empty"),
        ("{\"video\": \"a\", \"labels\": []}", "no video has a label"),
        (
            "{\"video\": \"a\", \"label\": \"x\", \"split0\": \"dev\"}",
            "line 1: split0: \"dev\" is not 0 or train, 1 or validation, 2 or test",
        ),
        (
            "{\"video\": \"a\", \"label\": \"x\", \"split0\": 0}\n\n{\"video\": \"b\", \"label\": \"x\"}",
            "line 3: split0 is missing, which line 1 has",
        ),
        (
            "{\"video\": \"a\", \"label\": \"x\"}\n{\"video\": \"b\", \"label\": \"x\", \"split0\": 0}",
            "line 2: split0 is given, which line 1 does not have",
        ),
    ] {
        assert_eq!(fault(text), said);
    }
    let cut_off = "line 1: not a JSON object of one line: EOF while parsing an object at column 13";
    assert_eq!(fault("{\"video\": \"a\"\n"), cut_off);
    assert_eq!(fault("[{\"video\": \"a\"}]"), "the file is a JSON list: write an object a line instead");
    let many: String = (0..5000).map(|n| format!("v{n},label {n}\n")).collect();
    assert_eq!(fault(&format!("video,label\n{many}")), "there are 5000 different labels, more than 4096");
}

#[test]
fn single_label_tables_have_one_label_in_every_row() {
    let check =
        |text: &str| LabelTable::parse(text).expect("a good table").check_single_label().map_err(|e| e.to_string());
    assert_eq!(check("video,fun,war\na,1,0\nb,0,1\n"), Ok(()));
    let several = check("video,fun,war\na,1,0\nb,1,1\nc,0,0\n").expect_err("two labels");
    assert!(several.starts_with("row 2: b has 2 labels (fun, war), but --single-label needs"), "{several}");
    let none = check("video,fun,war\na,1,0\nc,0,0\n").expect_err("no label");
    assert!(none.starts_with("row 2: c has no label"), "{none}");
    let one = check("video,fun\na,1\n").expect_err("one label");
    assert!(one.starts_with("the only label is fun, but --single-label needs"), "{one}");
}

#[test]
fn a_file_that_is_not_text_or_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, b"video,label\na,x\nb,\xff\n").unwrap();
    assert!(LabelTable::read(&path).unwrap_err().to_string().starts_with("line 3: not UTF-8 text. "));
    assert!(matches!(LabelTable::read(&folder.path().join("none.csv")), Err(LabelTableError::Io(_))));
}

#[test]
fn class_folders_are_labels_and_a_copy_in_two_of_them_is_one_video() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert!(LabelTable::read(folder.path()).unwrap_err().to_string().starts_with("the folder has no sub-folder with"));
    for (path, text) in [
        ("horror/a.mp4", "film a"),
        ("horror/old/b.mp4", "film b"),
        ("drama/a.mp4", "film a"),
        ("drama/notes.txt", ""),
        ("drama/.c.mp4", ""),
        ("thriller/d/frame1.png", ""),
        ("thriller/d/frame2.png", ""),
        ("empty/notes.txt", ""),
        ("loose.mp4", ""),
    ] {
        write(path, text);
    }
    let table = LabelTable::read(folder.path()).unwrap();
    assert_eq!(table.labels, ["drama", "horror", "thriller"]);
    assert_eq!(table.videos, ["drama/a.mp4", "horror/old/b.mp4", "thriller/d"]);
    assert_eq!(table.rows, [[true, true, false], [false, true, false], [false, false, true]]);
    assert!(table.splits.is_empty());
    // Another film of the same name, as long.
    write("thriller/b.mp4", "film c");
    let clash = LabelTable::read(folder.path()).unwrap_err().to_string();
    assert!(
        clash.contains("horror/old/b.mp4 and ") && clash.contains("thriller/b.mp4 are different videos"),
        "{clash}"
    );
}

proptest! {
    #[test]
    fn any_text_is_a_table_or_an_error(text in "[{}\\[\\]\":,|\r\n 01a-cvideolabs]{0,60}") {
        let _ = LabelTable::parse(&text);
        let _ = LabelTable::parse(&format!("video,label,split0\n{text}"));
        let _ = LabelTable::parse(&format!("{{\"video\": {text}"));
    }

    #[test]
    fn every_list_of_labels_survives_as_a_table_of_0_and_1(
        videos in prop::collection::vec(prop::collection::btree_set("[x-z ,\"]{0,2}[p-r]", 1..4), 1..8),
    ) {
        let lines = videos.iter().enumerate().map(|(at, labels)| {
            serde_json::json!({"video": format!("{at}.mp4"), "labels": labels, "split3": at % 3}).to_string() + "\n"
        });
        let table = LabelTable::parse(&lines.collect::<String>()).unwrap();
        let csv = String::from_utf8(table.to_csv().unwrap()).unwrap();
        prop_assert_eq!(LabelTable::parse(&csv).unwrap(), table);
    }
}

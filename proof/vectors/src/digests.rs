//! Framed hashes (spec §2.3).

use crate::{
    vector::{Case, File},
    world::World,
};
use strongroom_wire::Framed;

pub(crate) fn file(_: &World) -> File {
    let none = Framed::new("example/v1");
    let one = none.clone().bytes(b"chat");
    let empty = none.clone().bytes(b"");
    let two = one.clone().number(258);
    let split = none.clone().bytes(b"ch").bytes(b"at");
    let cases = [
        ("a label alone", none),
        ("a label and an empty part", empty),
        ("a label and one part", one),
        ("the same bytes in two parts", split),
        ("a part and the number 258", two),
    ];
    let cases = cases.map(|(name, framed)| {
        Case::named(name).hex("framed", framed.clone().into_bytes()).hex("sha256", framed.digest())
    });
    File::new(
        "framed.json",
        "02-encoding.md",
        "Framed statements: each part, the label first, behind its length (u32 BE); label example/v1.",
    )
    .cases(cases)
}

"""What the native launcher makes of a state that an earlier run left."""

from pathlib import Path

from provisioning import is_formatted


def test_a_format_that_was_cut_short_is_done_again_and_data_is_never_formatted(tmp_path: Path) -> None:
    current = tmp_path / "name" / "current"
    assert not is_formatted(str(tmp_path))
    current.mkdir(parents=True)
    # the order in which a NameNode writes: the image under its name comes last
    for name in (
        "VERSION",
        "seen_txid",
        "fsimage.ckpt_0000000000000000000",
        "fsimage_0000000000000000000.md5",
    ):
        (current / name).touch()
        assert not is_formatted(str(tmp_path)), name
    (current / "fsimage.ckpt_0000000000000000000").rename(current / "fsimage_0000000000000000000")
    assert is_formatted(str(tmp_path))
    (current / "fsimage_0000000000000000000").unlink()
    (current / "edits_inprogress_0000000000000000001").touch()
    assert is_formatted(str(tmp_path)), "edits are data"

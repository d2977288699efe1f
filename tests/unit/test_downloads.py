"""What an aborted fetch leaves is not taken for the whole."""

import os
from pathlib import Path

import pytest

import downloads


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (downloads.cache_folder() / "maven" / "org").mkdir(parents=True)
    return downloads.cache_folder() / "maven" / "org"


def test_a_jar_whose_fetch_was_interrupted_is_fetched_again_and_the_others_stay(cache: Path) -> None:
    (cache / "old.jar").write_text("whole")
    os.utime(cache / "old.jar", (1, 1))
    with pytest.raises(KeyboardInterrupt), downloads._whole_files():
        (cache / "new.jar").write_text("ha")
        raise KeyboardInterrupt
    assert (cache / "new.jar").exists()
    with downloads._whole_files():
        assert [path.name for path in cache.iterdir()] == ["old.jar"]
        (cache / "new.jar").write_text("whole")
    with downloads._whole_files():
        assert len(list(cache.iterdir())) == 2, "one that ended well is kept"


def test_a_folder_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloads._make_once(tmp_path / "java", interrupted)
    assert list(tmp_path.iterdir()) == []
    assert downloads._make_once(tmp_path / "java", Path.mkdir).is_dir()

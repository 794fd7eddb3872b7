"""Which engine runs."""

from pathlib import Path

import pytest

from cli.engine import home as engine_home
from cli.errors import ConfigError


def _binary(folder: Path, name: str) -> Path:
    path = folder / "tkms" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path.resolve()


def test_our_binary_comes_before_the_released_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TKMS_COMETBFT before everything, then ours, then the released one, then a sentence."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TKMS_COMETBFT", raising=False)
    with pytest.raises(ConfigError) as refused:
        engine_home.find_binary()
    assert refused.value.reason == "NO_ENGINE"
    released = _binary(tmp_path, "cometbft-v0.40.0")
    assert engine_home.find_binary() == released
    ours = _binary(tmp_path, "tkms-engine")
    assert engine_home.find_binary() == ours
    monkeypatch.setenv("TKMS_COMETBFT", str(released))
    assert engine_home.find_binary() == released
    monkeypatch.setenv("TKMS_COMETBFT", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError):
        engine_home.find_binary()

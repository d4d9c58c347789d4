"""What a file shows is what is learned from."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fillbench import FillbenchError, create
from fillbench.datasets import DataSet, decode, load
from fillbench.datasets import sizes as sizes_module
from fillbench.tests.pictures import folder, picture, save

HERE = Path(".")
INK = 8


def drawn(mode: str, path: Path) -> Path:
    """Black ink in the left half of a picture, on a transparent ground whose hidden colour is black too."""
    alpha = np.zeros((INK, INK), np.uint8)
    alpha[:, : INK // 2] = 255
    black = Image.new("L", (INK, INK), 0)
    options = {}
    if mode in ("RGBA", "LA"):
        image = Image.merge(mode, [black] * (len(mode) - 1) + [Image.fromarray(alpha)])
    else:  # a colour of its own stands for the ground
        options["transparency"] = 1 if mode == "P" else (10, 10, 10) if mode == "RGB" else 10 if mode != "1" else 1
        ground = np.where(alpha == 0, options["transparency"] if mode == "P" else 10, 0).astype(np.uint8)
        image = Image.fromarray(ground)
        if mode == "P":
            image = image.convert("L")
            image.putpalette([0, 0, 0, 10, 10, 10])
        elif mode == "I;16":
            image = Image.fromarray(ground.astype(np.uint16))
        elif mode == "1":
            image = Image.fromarray(alpha == 0)
        else:
            image = image.convert(mode)
    image.save(path, **options)
    return path


def all_images(split) -> np.ndarray:
    return np.concatenate([split.train.x, split.test.x])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "RGB", "I;16"])
@pytest.mark.parametrize(("ground", "value"), [("white", 255), ("black", 0)])
def test_ink_on_a_transparent_ground_stays_legible(tmp_path, mode, ground, value):
    folder(tmp_path, size=(INK, INK))
    drawn(mode, tmp_path / "ant" / "drawn.png")
    picture(tmp_path / "ant" / "deep.png", size=(INK, INK))
    split = load(f"folder:{tmp_path}", HERE, ground=ground)
    right_is_flat = [image for image in all_images(split) if (image[:, INK // 2 :] == value).all()]
    assert len(right_is_flat) == 1
    assert (right_is_flat[0][:, : INK // 2] == 0).all()
    assert split.reading["transparent"] == 1
    assert split.reading["ground"] == split.train.traits.ground == ground
    assert any("transparent" in line and ground in line for line in split.reading["warnings"])


def test_an_alpha_channel_that_hides_nothing_is_no_news(tmp_path):
    folder(tmp_path, mode="RGBA")
    split = load(f"folder:{tmp_path}", HERE)
    assert split.train.x.shape[-1] == 3
    assert "transparent" not in split.reading


@pytest.mark.parametrize("form", ["pgm", "png", "tif"])
def test_one_grey_range_is_for_the_whole_data_set(tmp_path, form):
    folder(tmp_path, size=(4, 4))
    for value in (255, 256, 4095):
        Image.fromarray(np.full((4, 4), value, np.uint16)).save(tmp_path / "ant" / f"{value}.{form}")
    split = load(f"folder:{tmp_path}", HERE)
    flat = sorted(int(image.max()) for image in all_images(split) if image.max() == image.min())
    assert flat == [16, 16, 255]
    assert split.reading["bits"] == split.train.traits.bits == 12
    sixteen = all_images(load(f"folder:{tmp_path}", HERE, bits=16))
    assert sorted(int(image.max()) for image in sixteen if image.max() == image.min()) == [1, 1, 16]


def test_the_range_is_the_same_for_train_and_test(tmp_path):
    for part, value in (("train", 1023), ("test", 511)):
        for name in ("ant", "bee"):
            for k in range(4):
                (tmp_path / part / name).mkdir(parents=True, exist_ok=True)
                pixels = np.full((4, 4), value - 8 * k, np.uint16)
                pixels[0] = k + 10 * (name == "bee")
                Image.fromarray(pixels).save(tmp_path / part / name / f"{k}.png")
    split = load(f"folder:{tmp_path}", HERE)
    assert (split.train.x.max(), split.test.x.max()) == (255, 127)
    assert split.reading["bits"] == 10


@pytest.mark.parametrize(
    ("bits", "message"),
    [(8, r"holds 300, more than 8 bits.*--bits 10"), (12, None)],
)
def test_a_range_that_is_too_small_is_refused(tmp_path, bits, message):
    folder(tmp_path, size=(4, 4))
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "ant" / "deep.png")
    if message is None:
        assert load(f"folder:{tmp_path}", HERE, bits=bits).reading["bits"] == bits
        return
    with pytest.raises(FillbenchError, match=message):
        load(f"folder:{tmp_path}", HERE, bits=bits)


def test_bits_without_any_deep_image_are_refused(tmp_path):
    with pytest.raises(FillbenchError, match=r"--bits 12.*no image.*deeper than 8 bits"):
        load(f"folder:{folder(tmp_path)}", HERE, bits=12)


def test_images_made_elsewhere_have_the_data_sets_range_and_ground(tmp_path):
    folder(tmp_path / "real", size=(INK, INK))
    Image.fromarray(np.full((INK, INK), 4095, np.uint16)).save(tmp_path / "real" / "ant" / "deep.png")
    train = load(f"folder:{tmp_path / 'real'}", HERE, ground="black").train
    (tmp_path / "made" / "ant").mkdir(parents=True)
    Image.fromarray(np.full((INK, INK), 256, np.uint16)).save(tmp_path / "made" / "ant" / "0.png")
    drawn("LA", tmp_path / "made" / "ant" / "1.png")
    generator = create("from-files", path=str(tmp_path / "made"), random_state=0).fit(train, {0: 2})
    made = generator.sample(0, 2)
    assert sorted(int(image.max()) for image in made) == [0, 16]
    assert any("transparent" in line for line in generator.facts["warnings"])
    Image.fromarray(np.full((INK, INK), 5000, np.uint16)).save(tmp_path / "made" / "ant" / "2.png")
    with pytest.raises(FillbenchError, match=r"2\.png' holds 5000, more than 12 bits"):
        create("from-files", path=str(tmp_path / "made")).fit(train, {0: 2})


def test_float_pixels_have_no_known_range_and_small_integers_are_not_divided(tmp_path):
    folder(tmp_path, size=(4, 4))
    deep = tmp_path / "ant" / "deep.tif"
    Image.fromarray(np.full((4, 4), 200, np.int32)).save(deep)
    assert sum((image == 200).all() for image in all_images(load(f"folder:{tmp_path}", HERE))) == 1
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(deep)
    with pytest.raises(FillbenchError, match=r"deep\.tif' holds float32"):
        load(f"folder:{tmp_path}", HERE)


def test_deep_colour_that_pillow_cuts_to_eight_bits_is_told(tmp_path):
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + np.full((4, 3), 4095, ">u2").tobytes() for _ in range(4))
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    folder(tmp_path, size=(4, 4))
    (tmp_path / "ant" / "deep.png").write_bytes(raw + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    split = load(f"folder:{tmp_path}", HERE)
    assert any("16-bit colour" in line and "deep.png" in line for line in split.reading["warnings"])


def test_one_image_of_another_size_leaves_the_others_as_they_are(tmp_path):
    folder(tmp_path, size=(224, 224), count=4)
    before = {image.tobytes() for image in all_images(load(f"folder:{tmp_path}", HERE))}
    picture(tmp_path / "ant" / "odd.png", size=(224, 225), value=77)
    split = load(f"folder:{tmp_path}", HERE)
    assert split.train.x.shape[1:] == (224, 224, 1)
    assert before < {image.tobytes() for image in all_images(split)}
    assert split.reading["size"] == {"height": 224, "width": 224, "why": "median of sizes that differ little"}
    assert any("2 sizes" in line and "--size" in line for line in split.reading["warnings"])


def test_images_of_very_different_shapes_become_squares_of_the_median_side(tmp_path):
    folder(tmp_path)
    picture(tmp_path / "ant" / "big.png", size=(40, 30), mode="RGB")
    split = load(f"folder:{tmp_path}", HERE)
    assert split.train.x.shape[1:] == (6, 6, 3)
    assert any("different shape" in line for line in split.reading["warnings"])
    asked = load(f"folder:{tmp_path}", HERE, size=12)
    assert asked.train.x.shape[1:] == (12, 12, 3)
    assert asked.reading["size"]["why"] == "--size"


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_large_photos_are_shrunk_in_their_own_shape_and_it_is_told(tmp_path, kind):
    if kind == "folder":
        folder(tmp_path, size=(900, 600), count=4)
        spec = f"folder:{tmp_path}"
    else:
        noise = np.random.default_rng(0).integers(0, 255, (8, 600, 900), dtype=np.uint8)
        arrays = {f"{part}_images": noise for part in ("train", "test")}
        labels = {f"{part}_labels": np.repeat([0, 1], 4) for part in ("train", "test")}
        spec = f"npz:{save(tmp_path / 'a.npz', **arrays, **labels)}"
    split = load(spec, HERE)
    assert split.train.x.shape[1:3] == (171, 256)
    (line,) = [line for line in split.reading["warnings"] if "600x900" in line]
    assert "171x256" in line
    assert "--size" in line
    assert "batch_size" in line
    assert load(spec, HERE, size=600).train.x.shape[1:3] == (600, 600)


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_more_than_the_memory_is_refused_with_numbers_before_any_image_is_decoded(tmp_path, monkeypatch, kind):
    path = folder(tmp_path, size=(200, 200), count=4) if kind == "folder" else save(tmp_path / "a.npz")
    monkeypatch.setattr(np, "load", None)
    monkeypatch.setattr(decode, "_decode", None)
    monkeypatch.setattr(sizes_module, "free_memory", lambda: 100)
    hint = {"folder": "--size", "npz": "smaller images"}[kind]
    with pytest.raises(FillbenchError, match=rf"need [\d.]+ [KM]?i?B .*100 B are free.*{hint}"):
        load(f"{kind}:{path}", HERE)


@pytest.mark.parametrize("form", ["gif", "tif", "webp"])
def test_only_the_first_frame_is_read_and_it_is_told(tmp_path, form):
    folder(tmp_path, size=(8, 8))
    frames = [Image.new("L", (8, 8), value) for value in (10, 200, 90)]
    frames[0].save(tmp_path / "ant" / f"film.{form}", save_all=True, append_images=frames[1:])
    split = load(f"folder:{tmp_path}", HERE)
    assert split.reading["frames"] == {"files": 1, "left_out": 2}
    assert any("first of several" in line and f"film.{form}" in line for line in split.reading["warnings"])


def test_a_huge_image_is_refused_unless_it_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    folder(tmp_path, size=(64, 64), count=4)
    picture(tmp_path / "bee" / "huge.png", size=(1200, 1000))
    with pytest.raises(FillbenchError, match=r"huge\.png' has 1\.2 megapixels, more than 1.*--max-megapixels 2"):
        load(f"folder:{tmp_path}", HERE)
    assert len(load(f"folder:{tmp_path}", HERE, max_megapixels=2).train) == 6
    assert Image.MAX_IMAGE_PIXELS == 500_000, "what others read is as before"


def test_photographs_are_turned_as_their_camera_says(tmp_path):
    turned = Image.Exif()
    turned[0x112] = 6
    folder(tmp_path, size=(4, 8))
    for form in ("png", "tif", "webp"):
        bright = np.zeros((4, 8), np.uint8)
        bright[:, :2] = 255
        Image.fromarray(bright).convert("RGB").save(
            tmp_path / "ant" / f"turned.{form}", exif=turned, **({"lossless": True} if form == "webp" else {})
        )
    split = load(f"folder:{tmp_path}", HERE)
    assert split.train.x.shape[1:] == (8, 4, 3), "all are upright and of one size"
    assert sum((image[:2] == 255).all() and (image[2:] == 0).all() for image in all_images(split)) == 3


def damaged_avif() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(file, "AVIF")
    return file.getvalue()[:-9]


def test_whatever_a_decoder_raises_is_told_with_the_file(tmp_path, monkeypatch):
    folder(tmp_path)
    odd = picture(tmp_path / "ant" / "odd.png")
    opened = Image.open

    def raises(path, *args, **options):
        if Path(path) == odd:
            raise RuntimeError("boom")
        return opened(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", raises)
        with pytest.raises(FillbenchError, match=r"odd\.png' .*boom"):
            load(f"folder:{tmp_path}", HERE)
    odd.write_bytes(odd.read_bytes()[:60])
    with pytest.raises(FillbenchError, match=r"odd\.png' "):
        load(f"folder:{tmp_path}", HERE)
    if "AVIF" in Image.registered_extensions().values():
        odd.write_bytes(damaged_avif())
        with pytest.raises(FillbenchError, match=r"odd\.png' "):
            load(f"folder:{tmp_path}", HERE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((12, 4, 4), np.uint8)}, "every pixel of the train images.* is 0"),
        ({"test_images": np.full((4, 4, 4), 9, np.uint8)}, "every pixel of the test images.* is 9"),
        ({"train_images": np.arange(192, dtype=np.uint8).reshape(12, 4, 4) % 2}, "0 and 1.*multiply .* by 255"),
        ({"train_images": np.random.default_rng(0).random((12, 4, 4))}, "float64.*255"),
        ({"train_images": np.zeros((12, 3, 4, 4), np.uint8)}, "channels.* last"),
    ],
)
def test_pixels_that_nothing_can_be_learned_from_are_refused(tmp_path, changes, message):
    with pytest.raises(FillbenchError, match=message):
        load(f"npz:{save(tmp_path / 'a.npz', **changes)}", HERE)


def test_dark_data_and_images_of_one_colour_are_told(tmp_path):
    dark = np.arange(192, dtype=np.uint8).reshape(12, 4, 4) % 17
    dark[3:5] = 7
    split = load(f"npz:{save(tmp_path / 'a.npz', train_images=dark)}", HERE)
    assert any("look black" in line and "16 of 255" in line for line in split.reading["warnings"])
    assert any("train images" in line and "2 of 12 are of one colour" in line for line in split.reading["warnings"])


def test_one_saturated_image_that_leaves_all_others_dark_is_told(tmp_path):
    for value, name in enumerate("abcdefgh"):
        for label in ("ant", "bee"):
            (tmp_path / label).mkdir(exist_ok=True)
            pixels = np.random.default_rng([value, label == "bee"]).integers(0, 4096, (8, 8)).astype(np.uint16)
            pixels[0, 0] = 65535 if name == "a" and label == "ant" else 0
            Image.fromarray(pixels).save(tmp_path / label / f"{name}.png")
    assert any(
        "look black" in line and "--bits" in line for line in load(f"folder:{tmp_path}", HERE).reading["warnings"]
    )


def test_images_made_elsewhere_of_zeros_and_ones_are_refused(tmp_path):
    train = load(f"npz:{save(tmp_path / 'a.npz')}", HERE).train
    assert isinstance(train, DataSet)
    np.save(tmp_path / "1.npy", np.eye(4, dtype=np.uint8)[None])
    (tmp_path / "made").mkdir()
    (tmp_path / "1.npy").rename(tmp_path / "made" / "1.npy")
    with pytest.raises(FillbenchError, match=r"0 and 1.*multiply"):
        create("from-files", path=str(tmp_path / "made")).fit(train, {1: 1})


def test_files_and_arrays_are_resized_alike(tmp_path):
    train = load(f"folder:{folder(tmp_path / 'real', size=(8, 8))}", HERE).train
    noise = np.random.default_rng(1).integers(0, 255, (3, 21, 13), dtype=np.uint8)
    (tmp_path / "png" / "ant").mkdir(parents=True)
    (tmp_path / "npy").mkdir()
    for k, image in enumerate(noise):
        Image.fromarray(image).save(tmp_path / "png" / "ant" / f"{k}.png")
    np.save(tmp_path / "npy" / "ant.npy", noise)
    generators = [
        create("from-files", path=str(tmp_path / form), random_state=0).fit(train, {0: 3}) for form in ("png", "npy")
    ]
    made = [generator.sample(0, 3) for generator in generators]
    assert (made[0] == made[1]).all()
    assert any("resized to 8x8" in line for line in generators[0].facts["warnings"])
    assert any("resized to 8x8" in line for line in generators[1].facts["warnings"])

from cli_runs import Cli, summary
from photos import noise, save


def bright_and_dark(sgdlab: Cli) -> None:
    for number in range(60):
        pixels = noise(8 + number % 3, 8, number) // 2
        save(sgdlab.folder / "photos" / "dark" / f"{number:02}.jpg", pixels)
        save(sgdlab.folder / "photos" / "bright" / f"{number:02}.png", 127 + pixels)


def test_photos_are_told_apart_from_the_command_line(sgdlab: Cli) -> None:
    bright_and_dark(sgdlab)
    run = sgdlab.train(
        "run", "dataset=images", "dataset.path=photos/", "dataset.size=[8,8]", "epochs=20",
        "evaluate_test=true",
    )  # fmt: skip
    row = summary(run)
    assert (row["dataset"], row["examples"], row["num_parameters"]) == ("images", "1440", "386")
    assert float(row["test_metric"]) == 1.0


def test_a_damaged_photo_is_refused_by_name_before_a_folder_is_made(sgdlab: Cli) -> None:
    bright_and_dark(sgdlab)
    (sgdlab.folder / "photos" / "dark" / "00.jpg").write_bytes(b"\xff\xd8\xff")
    result = sgdlab("train", "dataset=images", "dataset.path=photos", "dataset.size=8", "epochs=1")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "photos: 1 damaged (dark/00.jpg: no image that Pillow knows)" in result.err
    assert not (sgdlab.folder / "runs").exists()

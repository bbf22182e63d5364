"""The labelled suite: runs broken in one known way, and healthy ones, as data.

Thresholds were chosen on the entries of ``development`` alone. Those of ``held_out`` were written
and run once the thresholds stood.

A line is what is typed after ``sgdlab train``; ``A | B`` is the run A with the sibling B.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Half = Literal["development", "held_out"]


@dataclass(frozen=True)
class Entry:
    """A run and what is wrong with it.

    Attributes:
        label: What was broken; ``healthy`` where nothing was.
        overrides: As typed after ``sgdlab train``.
        symptoms: Of which one has to be found; none for a healthy run.
        half: Which half of the suite it belongs to.
        sibling: Another run in the same folder.
    """

    label: str
    overrides: tuple[str, ...]
    symptoms: tuple[str, ...]
    half: Half
    sibling: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.label}: {' '.join(self.overrides)}"


def _kind(
    label: str, symptoms: str, development: Sequence[str], held_out: Sequence[str]
) -> list[Entry]:
    halves: tuple[tuple[Half, Sequence[str]], ...] = (
        ("development", development),
        ("held_out", held_out),
    )
    return [_entry(label, symptoms, half, line) for half, lines in halves for line in lines]


def _entry(label: str, symptoms: str, half: Half, line: str) -> Entry:
    own, _, other = line.partition(" | ")
    sibling = tuple(other.split()) or None
    return Entry(label, tuple(own.split()), tuple(symptoms.split()), half, sibling)


HEALTHY = [
    *_kind(
        "healthy",
        "",
        [
            "",
            "optimizer=adam lr=0.003 epochs=15",
            "model=cnn lr=0.02 epochs=12",
            "model=linear optimizer=sgd lr=0.1 epochs=25",
            "optimizer=adamw lr=0.002 schedule=wsd epochs=15",
            "dataset=wine model=linear optimizer=momentum lr=0.01 batch_size=16 epochs=30",
            "dataset=wine model.hidden=[16] optimizer=adam lr=0.01 batch_size=16 epochs=15",
            "dataset=breast_cancer model=linear optimizer=sgd lr=0.1 epochs=30",
            "dataset=breast_cancer model.hidden=[16] lr=0.02 epochs=15",
            "dataset=diabetes model=linear optimizer=sgd lr=0.03 batch_size=32 epochs=25",
            "dataset=diabetes model.hidden=[8] optimizer=adamw lr=0.003 batch_size=32 epochs=20",
            "dataset=moons lr=0.05 epochs=40",
            "dataset=moons model.hidden=[32] optimizer=adam lr=0.01 batch_size=32 epochs=30",
            "dataset=classification optimizer=adamw lr=0.003 model.dropout=0.2 epochs=20",
            "dataset=classification model=linear optimizer=momentum lr=0.01 epochs=15",
            "dataset=quadratic optimizer=sgd lr=1.0 schedule=constant dtype=float64 epochs=8",
            "dataset=quadratic optimizer=nesterov lr=0.5 schedule=constant dtype=float64 epochs=3",
            "dataset=rosenbrock optimizer=adam lr=0.02 schedule=constant dtype=float64 epochs=20",
            "dataset=noisy_quadratic optimizer=sgd lr=0.5 dataset.noise=0.3 epochs=10",
            "dataset=logistic optimizer=sgd lr=1.0 schedule=inverse_sqrt schedule.timescale=100",
            "dataset=least_squares optimizer=momentum lr=0.02 dtype=float64 epochs=40",
            "batch_size=256 scaling=linear epochs=30 schedule.warmup_epochs=5",
            "batch_size=16 lr=0.01 epochs=10",
            "model=cnn optimizer=adam schedule=step schedule.milestones=[6,8] lr=0.003 epochs=10",
            "model.activation=tanh schedule=one_cycle lr=0.05 epochs=15",
            "dataset=wine model=linear optimizer=sgd lr=0.01 batch_size=1 epochs=10",
            "model=linear batch_size=full lr=0.1 epochs=150",
            "optimizer=rmsprop lr=0.001 epochs=15",
            "optimizer=lion lr=0.002 epochs=15",
            "dataset=classification model.batch_norm=true optimizer=nesterov lr=0.02 epochs=15",
            "model.hidden=[32] optimizer=adam lr=0.005 epochs=15",
            "model.hidden=[128,64] lr=0.02 epochs=20 model.dropout=0.1",
            "model=cnn optimizer=adamw lr=0.003 epochs=10",
            "model=linear optimizer=adam lr=0.01 epochs=25",
            "batch_size=32 optimizer=momentum lr=0.01 epochs=12 schedule.warmup_epochs=1",
            "optimizer=nadam lr=0.002 epochs=15",
            "optimizer=nesterov lr=0.05 epochs=25 schedule=linear schedule.warmup_epochs=2",
            "dataset=wine optimizer=nesterov lr=0.02 batch_size=16 epochs=20",
            "dataset=wine model=linear optimizer=adam lr=0.03 batch_size=32 epochs=30",
            "dataset=breast_cancer model.hidden=[32] optimizer=adamw lr=0.005 epochs=12",
            "dataset=breast_cancer model=linear optimizer=nesterov lr=0.02 batch_size=32 epochs=20",
            "dataset=diabetes model=linear optimizer=adam lr=0.05 epochs=30 batch_size=32",
            "dataset=diabetes model.hidden=[16] optimizer=momentum lr=0.005 epochs=15"
            " batch_size=32",
            "dataset=moons model.hidden=[32,32] optimizer=adamw lr=0.01 epochs=30",
            "dataset=moons optimizer=momentum lr=0.03 batch_size=16 epochs=20",
            "dataset=classification model.hidden=[64] optimizer=adam lr=0.005 epochs=15"
            " optimizer.weight_decay=0.0001",
            "dataset=classification dataset.n_classes=2 model=linear optimizer=sgd lr=0.1"
            " epochs=15",
            "dataset=quadratic optimizer=adam lr=0.05 dtype=float64 epochs=10",
            "dataset=quadratic dataset.noise=0.5 optimizer=momentum lr=0.05 epochs=8",
            "dataset=beale optimizer=adam lr=0.05 schedule=constant dtype=float64 epochs=15",
            "dataset=logistic dataset.source=generated optimizer=nesterov lr=0.2 epochs=15",
            "dataset=wild_measurements dataset.share=0.0 model=linear optimizer=sgd lr=0.1"
            " epochs=10",
        ],
        [
            "seed=3 model.hidden=[48] optimizer=adamw lr=0.004 epochs=18 schedule=linear",
            "seed=5 model=cnn optimizer=momentum lr=0.02 epochs=10 schedule.warmup_epochs=1",
            "seed=4 model=linear optimizer=nesterov lr=0.02 epochs=20",
            "batch_size=128 optimizer=adam lr=0.004 epochs=20",
            "seed=7 model.activation=gelu optimizer=adamw lr=0.002 schedule=one_cycle epochs=15",
            "seed=2 dataset=wine model.hidden=[32] optimizer=rmsprop lr=0.003 batch_size=16"
            " epochs=15",
            "seed=6 dataset=breast_cancer optimizer=momentum lr=0.02 batch_size=32 epochs=12",
            "seed=8 dataset=breast_cancer model=linear optimizer=adamw lr=0.02 epochs=25",
            "seed=1 dataset=diabetes model=linear optimizer=momentum lr=0.005 batch_size=16"
            " epochs=15",
            "seed=9 dataset=moons model.hidden=[16,16] model.activation=tanh optimizer=nesterov"
            " lr=0.1 epochs=40",
            "seed=2 dataset=moons model.hidden=[64] optimizer=nadam lr=0.01 epochs=30"
            " batch_size=32",
            "seed=3 dataset=classification model.hidden=[32] optimizer=momentum lr=0.02"
            " epochs=20 optimizer.weight_decay=0.001",
            "dataset=quadratic dataset.condition=10 optimizer=momentum lr=0.3 schedule=constant"
            " dtype=float64 epochs=2",
            "dataset=rosenbrock optimizer=nesterov lr=0.0002 schedule=constant dtype=float64"
            " epochs=40",
            "dataset=noisy_quadratic optimizer=adam lr=0.02 epochs=12",
            "dataset=least_squares dataset.source=generated dataset.condition=10 optimizer=sgd"
            " lr=0.3 epochs=20",
        ],
    ),
]

BROKEN = [
    *_kind(
        "lr far too high",
        "explodes not_finite oscillates plateau",
        [
            "lr=3.0 schedule=constant epochs=5",
            "model=cnn optimizer=adam lr=0.3 schedule=constant epochs=4",
            "dataset=diabetes model=linear optimizer=sgd lr=2.0 schedule=constant epochs=10",
            "dataset=diabetes lr=0.3 schedule=constant epochs=10",
            "dataset=classification optimizer=adamw lr=1.0 schedule.warmup_epochs=0 epochs=8",
            "dataset=classification model=linear optimizer=momentum lr=5.0 epochs=8",
            "dataset=wine optimizer=momentum lr=2.0 schedule=constant epochs=20",
            "dataset=breast_cancer optimizer=sgd lr=10.0 schedule=constant epochs=10",
            "dataset=quadratic optimizer=sgd lr=2.2 schedule=constant epochs=3",
            "dataset=quadratic optimizer=nesterov lr=1.5 schedule=constant epochs=3",
            "dataset=moons optimizer=adam lr=3.0 schedule=constant epochs=10",
            "dataset=rosenbrock optimizer=sgd lr=0.01 schedule=constant epochs=2",
            "lr=1.5 schedule=constant epochs=5 model.hidden=[32]",
            "optimizer=rmsprop lr=0.5 schedule=constant epochs=5",
            "dataset=wine optimizer=sgd lr=30.0 schedule=constant epochs=15",
            "dataset=breast_cancer optimizer=adamw lr=2.0 schedule=constant epochs=8",
            "dataset=diabetes model=linear optimizer=adam lr=20.0 schedule=constant epochs=10",
            "dataset=least_squares optimizer=momentum lr=1.2 schedule=constant epochs=10",
        ],
        [
            "seed=1 dataset=classification lr=3.0 schedule=constant epochs=6",
            "seed=2 model=linear optimizer=adam lr=5.0 schedule=constant epochs=6",
            "seed=3 dataset=breast_cancer model.hidden=[64] optimizer=momentum lr=3.0"
            " schedule=constant epochs=8",
            "dataset=beale optimizer=momentum lr=0.1 schedule=constant epochs=3",
        ],
    ),
    *_kind(
        "no warm-up",
        "explodes not_finite oscillates plateau",
        [
            "model.hidden=[256,256] optimizer=adam lr=0.1 schedule.warmup_epochs=0 epochs=8",
            "lr=0.5 schedule.warmup_epochs=0 epochs=8",
            "dataset=classification lr=2.0 schedule.warmup_epochs=0 epochs=8",
            "model=cnn lr=0.5 schedule.warmup_epochs=0 epochs=5",
            "dataset=moons lr=2.0 schedule.warmup_epochs=0 epochs=10",
            "model.hidden=[128,128,128] optimizer=adam lr=0.2 schedule.warmup_epochs=0 epochs=6",
        ],
        [
            "seed=4 model=cnn optimizer=adamw lr=0.1 schedule.warmup_epochs=0 epochs=5",
            "seed=5 dataset=wine lr=1.5 batch_size=16 schedule.warmup_epochs=0 epochs=15",
        ],
    ),
    *_kind(
        "own loss not finite",
        "not_finite",
        [
            "loss=log_of_softmax optimizer=adam lr=1.0 schedule=constant epochs=8",
            "loss=root_error dataset=diabetes model=linear lr=0.01 epochs=10",
            "loss=root_error dataset=few_measurements model.hidden=[32] lr=0.01 epochs=20"
            " batch_size=16 loss.digits=2",
            "loss=log_of_softmax dataset=wine model.hidden=[256] optimizer=sgd lr=20.0 epochs=20",
            "loss=root_error loss.digits=2 dataset=diabetes model.hidden=[16] lr=0.02 epochs=15",
            "loss=log_of_softmax dataset=breast_cancer model.hidden=[256] optimizer=sgd lr=20.0"
            " epochs=10",
        ],
        [
            "seed=2 loss=root_error loss.digits=1 dataset=diabetes model.hidden=[32]"
            " optimizer=adam lr=0.01 epochs=10",
            "loss=log_of_softmax dataset=moons model.hidden=[128] optimizer=sgd lr=60.0"
            " schedule=constant epochs=10",
        ],
    ),
    *_kind(
        "wild examples",
        "gradient_spikes",
        [
            "dataset=wild_measurements model=linear optimizer=adam lr=0.01 epochs=15",
            "dataset=wild_measurements model=linear optimizer=adamw lr=0.03 epochs=12"
            " dataset.size=100",
            "dataset=wild_measurements model.hidden=[32] optimizer=adam lr=0.003 epochs=15"
            " dataset.share=0.002",
            "dataset=wild_measurements model=linear optimizer=sgd lr=0.00001 epochs=15"
            " schedule=constant dataset.size=200",
            "dataset=wild_measurements dataset.share=0.003 dataset.size=80 model=linear"
            " optimizer=adam lr=0.02 epochs=15",
            "dataset=wild_measurements dataset.size=40 model.hidden=[16] optimizer=adamw"
            " lr=0.01 epochs=10 batch_size=16",
        ],
        [
            "seed=1 dataset=wild_measurements dataset.seed=3 dataset.size=50 model=linear"
            " optimizer=nadam lr=0.01 epochs=15",
            "seed=2 dataset=wild_measurements dataset.seed=5 dataset.share=0.006"
            " dataset.size=120 model.hidden=[64] optimizer=adam lr=0.005 epochs=10",
        ],
    ),
    *_kind(
        "gradient grows",
        "gradient_grows",
        [
            "dataset=quadratic optimizer=sgd lr=2.01 schedule=constant epochs=5",
            "dataset=quadratic optimizer=momentum lr=3.805 schedule=constant epochs=8",
            "loss=margin model.hidden=[64,64,64] lr=0.05 schedule=constant epochs=8",
            "dataset=classification loss=margin optimizer=adam lr=0.001 epochs=10",
            "dataset=quadratic optimizer=nesterov lr=1.362 schedule=constant epochs=5",
            "dataset=classification loss=margin optimizer=sgd lr=0.3 epochs=10",
        ],
        [
            "dataset=quadratic dataset.condition=10 optimizer=sgd lr=2.008 schedule=constant"
            " epochs=6",
            "seed=2 dataset=wine loss=margin model.hidden=[32] optimizer=adam lr=0.003"
            " batch_size=16 epochs=30",
        ],
    ),
    *_kind(
        "overfits",
        "overfits",
        [
            "dataset=classification dataset.n_samples=300 model.hidden=[128,128] optimizer=adam"
            " lr=0.003 epochs=60 batch_size=32",
            "dataset=classification dataset.flip_y=0.3 model.hidden=[256,256] optimizer=adam"
            " lr=0.003 epochs=25",
            "dataset=diabetes model.hidden=[128,128] optimizer=adam lr=0.003 epochs=80",
            "dataset=moons dataset.noise=0.5 dataset.n_samples=200 model.hidden=[128,128]"
            " optimizer=adam lr=0.01 epochs=120 batch_size=32",
            "dataset=few_measurements model.hidden=[64] optimizer=adam lr=0.003 epochs=60"
            " batch_size=16",
            "dataset=breast_cancer split.val=0.6 split.test=0.3 model.hidden=[128]"
            " optimizer=adam lr=0.02 epochs=150 batch_size=16",
            "dataset=few_measurements dataset.features=30 model.hidden=[128] optimizer=adam"
            " lr=0.01 epochs=50 batch_size=16",
            "dataset=moons dataset.noise=0.6 dataset.n_samples=150 model.hidden=[256]"
            " optimizer=adamw lr=0.02 epochs=150 batch_size=16",
            "dataset=diabetes model.hidden=[64,64] lr=0.05 epochs=120",
            "dataset=classification dataset.flip_y=0.5 model.hidden=[128,128] lr=0.03 epochs=50",
        ],
        [
            "seed=1 dataset=few_measurements dataset.seed=2 model.hidden=[96,96]"
            " optimizer=adamw lr=0.005 epochs=50 batch_size=16",
            "seed=2 dataset=classification dataset.n_samples=400 dataset.class_sep=0.6"
            " model.hidden=[256] optimizer=adam lr=0.005 epochs=60",
            "seed=3 dataset=diabetes model.hidden=[256] optimizer=adam lr=0.005 epochs=100",
        ],
    ),
    *_kind(
        "momentum too high",
        "oscillates explodes",
        [
            "optimizer=momentum optimizer.momentum=0.99 lr=0.05 schedule=constant epochs=10",
            "dataset=quadratic optimizer=momentum optimizer.momentum=0.99 lr=0.5"
            " schedule=constant epochs=2",
            "dataset=breast_cancer model=linear optimizer=momentum optimizer.momentum=0.995"
            " lr=0.1 schedule=constant epochs=20",
            "dataset=diabetes model=linear optimizer=momentum optimizer.momentum=0.99 lr=0.03"
            " schedule=constant epochs=15",
            "dataset=classification optimizer=nesterov optimizer.momentum=0.995 lr=0.03"
            " schedule=constant epochs=10",
            "dataset=least_squares optimizer=momentum optimizer.momentum=0.99 lr=0.05"
            " schedule=constant epochs=20",
        ],
        [
            "seed=2 dataset=moons optimizer=momentum optimizer.momentum=0.99 lr=0.1"
            " schedule=constant epochs=15",
            "seed=1 dataset=logistic optimizer=momentum optimizer.momentum=0.995 lr=0.5"
            " schedule=constant epochs=20",
        ],
    ),
    *_kind(
        "oscillates",
        "oscillates explodes",
        [
            "batch_size=2 lr=0.03 schedule=constant epochs=3 model.hidden=[32]",
            "dataset=classification batch_size=4 lr=0.05 schedule=constant epochs=4",
            "dataset=diabetes model=linear optimizer=sgd batch_size=full lr=0.245 epochs=60"
            " schedule=constant",
            "dataset=diabetes model=linear optimizer=sgd lr=0.2 batch_size=8 schedule=constant"
            " epochs=20",
            "dataset=moons batch_size=2 lr=0.1 schedule=constant epochs=3",
            "dataset=classification batch_size=2 optimizer=adam lr=0.03 schedule=constant epochs=2",
            "batch_size=4 optimizer=momentum lr=0.05 schedule=constant epochs=2",
        ],
        [
            "seed=1 dataset=diabetes model=linear optimizer=sgd lr=0.12 batch_size=4"
            " schedule=constant epochs=10",
            "seed=2 batch_size=2 optimizer=nesterov lr=0.02 schedule=constant epochs=2",
        ],
    ),
    *_kind(
        "lr far too low",
        "slow",
        [
            "optimizer=sgd lr=0.0003",
            "optimizer=adam lr=0.000003",
            "dataset=quadratic optimizer=sgd lr=0.0005 schedule=constant epochs=3",
            "dataset=diabetes model=linear optimizer=sgd lr=0.0001",
            "dataset=moons lr=0.00005 epochs=30",
            "dataset=wine model.hidden=[16] optimizer=adamw lr=0.00002 epochs=30",
            "model=cnn lr=0.00002 epochs=6",
            "dataset=breast_cancer optimizer=momentum lr=0.00002",
            "lr=0.00001 optimizer=momentum epochs=15",
            "dataset=classification optimizer=adam lr=0.00001 epochs=15",
            "dataset=least_squares optimizer=sgd lr=0.0001 epochs=20",
            "dataset=diabetes model.hidden=[16] optimizer=sgd lr=0.0003 epochs=15",
            "dataset=moons optimizer=adamw lr=0.00003 epochs=20",
            "dataset=wine model=linear optimizer=sgd lr=0.0003 epochs=20",
        ],
        [
            "seed=1 model.hidden=[32] optimizer=adamw lr=0.000005 epochs=12",
            "seed=2 dataset=classification model=linear optimizer=sgd lr=0.0002 epochs=15",
            "seed=3 dataset=breast_cancer model=linear optimizer=nesterov lr=0.00005 epochs=15",
            "dataset=rosenbrock optimizer=adam lr=0.00002 schedule=constant epochs=5",
        ],
    ),
    *_kind(
        "warm-up too long",
        "warmup_too_long",
        [
            "schedule.warmup_epochs=50 epochs=10",
            "dataset=breast_cancer schedule.warmup_steps=1000 epochs=15",
            "dataset=classification schedule.warmup_epochs=9 epochs=10 optimizer=adamw",
            "dataset=moons schedule=linear schedule.warmup_epochs=30 epochs=30 lr=0.05",
            "model=cnn schedule.warmup_epochs=7 epochs=8 lr=0.02",
            "dataset=wine schedule=constant schedule.warmup_steps=500 batch_size=16 epochs=15",
        ],
        [
            "seed=1 dataset=classification optimizer=momentum lr=0.02 schedule=constant"
            " schedule.warmup_epochs=20 epochs=10",
            "seed=2 optimizer=adam schedule.warmup_steps=180 max_steps=200",
        ],
    ),
    *_kind(
        "schedule ends early",
        "schedule_early",
        [
            "schedule=step schedule.step_size=1",
            "dataset=classification schedule=exponential schedule.gamma=0.3 lr=0.02",
            "schedule=inverse_time optimizer=sgd lr=0.1",
            "dataset=breast_cancer schedule=step schedule.milestones=[2,4] lr=0.02 epochs=30"
            " schedule.gamma=0.05",
            "model=linear optimizer=sgd lr=0.02 schedule=exponential schedule.gamma=0.5 epochs=20",
            "dataset=moons schedule=step schedule.milestones=[1,2] epochs=15 lr=0.02",
        ],
        [
            "seed=1 dataset=classification optimizer=adam lr=0.003 schedule=step"
            " schedule.step_size=2 schedule.gamma=0.05 epochs=15",
            "seed=2 dataset=diabetes model.hidden=[16] optimizer=sgd lr=0.02"
            " schedule=inverse_time batch_size=32 epochs=20",
        ],
    ),
    *_kind(
        "schedule ends late",
        "schedule_late",
        [
            "schedule=step schedule.step_size=30 epochs=10",
            "dataset=classification schedule=exponential schedule.gamma=0.9999 epochs=15",
            "dataset=moons schedule=inverse_sqrt schedule.timescale=100000 lr=0.05 epochs=20",
            "dataset=breast_cancer schedule=step schedule.milestones=[100] epochs=15",
            "dataset=diabetes model=linear schedule=step schedule.step_size=100 lr=0.003 epochs=10",
            "dataset=wine schedule=exponential schedule.gamma=0.999 epochs=20 batch_size=16",
        ],
        [
            "seed=1 model=linear optimizer=sgd lr=0.05 schedule=inverse_sqrt"
            " schedule.timescale=50000 epochs=10",
            "seed=2 dataset=classification optimizer=adamw lr=0.003 schedule=step"
            " schedule.milestones=[50,80] epochs=12",
        ],
    ),
    *_kind(
        "decay on bias and norm",
        "decayed_bias",
        [
            "decay.bias_and_norm=true epochs=8",
            "model=cnn model.batch_norm=true decay.bias_and_norm=true epochs=4",
            "dataset=classification optimizer=adamw model.batch_norm=true"
            " decay.bias_and_norm=true lr=0.003 epochs=10",
            "dataset=diabetes model.hidden=[8] decay.bias_and_norm=true epochs=10",
            "dataset=breast_cancer optimizer=adamw decay.bias_and_norm=true lr=0.005 epochs=8",
            "dataset=moons decay.bias_and_norm=true optimizer=momentum lr=0.02 epochs=15",
        ],
        [
            "seed=1 dataset=wine optimizer=momentum lr=0.02 batch_size=16"
            " decay.bias_and_norm=true epochs=10",
            "seed=2 model=linear optimizer=adamw lr=0.01 decay.bias_and_norm=true epochs=12",
        ],
    ),
    *_kind(
        "decay too strong",
        "strong_decay plateau",
        [
            "optimizer.weight_decay=0.1 epochs=15",
            "optimizer=adamw lr=0.003 optimizer.weight_decay=30.0 epochs=15",
            "dataset=breast_cancer optimizer=momentum optimizer.weight_decay=1.0 epochs=15",
            "dataset=classification optimizer=adam optimizer.weight_decay=1.0 epochs=10",
            "model=linear optimizer=sgd optimizer.weight_decay=1.0 epochs=12",
            "dataset=moons optimizer=adamw lr=0.01 optimizer.weight_decay=20.0 epochs=15",
        ],
        [
            "seed=1 dataset=classification lr=0.02 optimizer.weight_decay=0.3 epochs=12",
            "seed=2 model=cnn optimizer=adamw lr=0.003 optimizer.weight_decay=15.0 epochs=8",
        ],
    ),
    *_kind(
        "clip far too small",
        "clipping",
        [
            "clip_norm=0.01",
            "dataset=classification optimizer=sgd clip_norm=0.05 epochs=10",
            "dataset=wine model.hidden=[16] optimizer=adam lr=0.01 clip_norm=0.02 epochs=15",
            "dataset=diabetes model=linear optimizer=sgd clip_norm=0.1 lr=0.05",
            "model=cnn clip_norm=0.02 epochs=6 schedule.warmup_epochs=1",
            "dataset=breast_cancer clip_norm=0.03 optimizer=nesterov epochs=12",
        ],
        [
            "seed=1 dataset=moons clip_norm=0.02 optimizer=momentum lr=0.02 epochs=15",
            "seed=2 model=linear optimizer=sgd lr=0.1 clip_norm=0.03 epochs=12",
        ],
    ),
    *_kind(
        "batch larger at the same lr",
        "batch_without_lr",
        [
            "batch_size=512 schedule=constant lr=0.003 | batch_size=32 schedule=constant lr=0.003",
            "dataset=breast_cancer batch_size=256 | dataset=breast_cancer batch_size=16",
            "dataset=classification batch_size=full optimizer=sgd lr=0.03 epochs=15 |"
            " dataset=classification batch_size=32 optimizer=sgd lr=0.03 epochs=15",
            "dataset=moons batch_size=32 accumulate=16 lr=0.01 | dataset=moons batch_size=32"
            " accumulate=1 lr=0.01",
            "batch_size=full optimizer=adam epochs=15 | batch_size=64 optimizer=adam epochs=15",
            "dataset=diabetes model=linear optimizer=sgd batch_size=128 lr=0.005 |"
            " dataset=diabetes model=linear optimizer=sgd batch_size=8 lr=0.005",
        ],
        [
            "seed=1 dataset=classification batch_size=512 lr=0.005 epochs=12 | seed=1"
            " dataset=classification batch_size=64 lr=0.005 epochs=12",
            "seed=2 model=linear optimizer=sgd batch_size=256 lr=0.05 epochs=10"
            " schedule=constant | seed=2 model=linear optimizer=sgd batch_size=16 lr=0.05"
            " epochs=10 schedule=constant",
        ],
    ),
    *_kind(
        "labels shuffled or zero gradient",
        "plateau",
        [
            "dataset=shuffled_digits epochs=12",
            "dataset=shuffled_classes model=linear epochs=12",
            "model=detached epochs=6",
            "dataset=wine loss=level model.hidden=[16] epochs=10",
            "dataset=shuffled_classes model.hidden=[128] optimizer=adam lr=0.003 epochs=15",
            "model=cnn dataset=shuffled_digits optimizer=adamw epochs=4",
            "dataset=shuffled_digits model=linear optimizer=sgd lr=0.1 epochs=10",
            "dataset=shuffled_classes optimizer=momentum lr=0.02 epochs=10",
            "dataset=moons model=detached epochs=8",
            "loss=level dataset=diabetes model=linear epochs=8",
        ],
        [
            "seed=1 dataset=shuffled_digits dataset.seed=4 optimizer=adam epochs=8",
            "seed=2 dataset=shuffled_classes dataset.seed=4 lr=0.02 epochs=12",
            "seed=3 model=detached dataset=breast_cancer epochs=10",
        ],
    ),
    *_kind(
        "stops too soon",
        "still_improving",
        [
            "epochs=2 schedule.warmup_epochs=0",
            "dataset=classification epochs=3 schedule.warmup_epochs=0.5 lr=0.03",
            "dataset=moons epochs=2 schedule=constant",
            "model=cnn epochs=2 schedule.warmup_epochs=0 lr=0.02",
            "dataset=quadratic optimizer=sgd lr=0.05 max_steps=25 schedule=constant",
            "dataset=breast_cancer model=linear optimizer=sgd lr=0.01 epochs=5"
            " schedule.warmup_epochs=0.5",
            "optimizer=adam lr=0.0005 epochs=2 schedule.warmup_epochs=0",
            "dataset=wine batch_size=16 epochs=2 lr=0.005 schedule.warmup_epochs=0",
            "dataset=diabetes model=linear optimizer=sgd lr=0.01 epochs=4 schedule=constant",
        ],
        [
            "seed=1 dataset=classification optimizer=adamw lr=0.001 epochs=4"
            " schedule.warmup_epochs=0.5",
            "seed=2 model=linear optimizer=sgd lr=0.05 epochs=2 schedule.warmup_epochs=0",
        ],
    ),
]

LAYERS = [
    *_kind(
        "jumps across the valley",
        "oscillates",
        [
            "dataset=least_squares optimizer=sgd batch_size=full lr=0.49 epochs=60"
            " schedule=constant diagnostics=business diagnostics.every=1",
            "dataset=quadratic optimizer=sgd lr=1.995 schedule=constant epochs=1"
            " diagnostics=business diagnostics.every=1",
            "dataset=diabetes model=linear optimizer=sgd batch_size=full lr=0.24 epochs=50"
            " schedule=constant diagnostics=business diagnostics.every=1",
        ],
        [
            "dataset=quadratic dataset.condition=20 optimizer=sgd lr=1.99 schedule=constant"
            " epochs=1 diagnostics=business diagnostics.every=2",
        ],
    ),
    *_kind(
        "vanishing gradient",
        "vanishing_gradient",
        [
            "model.hidden=[32,32,32,32,32,32] model.activation=sigmoid epochs=8"
            " diagnostics=business",
            "dataset=classification model.hidden=[32,32,32,32,32,32,32,32] epochs=8"
            " optimizer=adam model.activation=sigmoid diagnostics=business",
            "dataset=breast_cancer model.hidden=[16,16,16,16,16] model.activation=sigmoid"
            " optimizer=sgd epochs=12 diagnostics=business",
            "model.hidden=[24,24,24,24,24,24,24] model.activation=sigmoid optimizer=momentum"
            " epochs=6 diagnostics=business",
        ],
        [
            "seed=1 dataset=wine model.hidden=[32,32,32,32,32,32] model.activation=sigmoid"
            " optimizer=adam batch_size=16 epochs=12 diagnostics=business",
        ],
    ),
    *_kind(
        "dead units",
        "dead_units",
        [
            "model=asleep epochs=6 diagnostics=business",
            "lr=0.5 schedule=constant epochs=4 diagnostics=business",
            "dataset=wine model=asleep epochs=15 diagnostics=business diagnostics.every=4",
            "dataset=classification optimizer=nesterov lr=1.0 schedule=constant epochs=5"
            " diagnostics=business",
        ],
        [
            "seed=1 model=asleep dataset=classification epochs=6 diagnostics=business",
            "seed=2 optimizer=adam lr=0.3 schedule=constant epochs=5 diagnostics=business",
        ],
    ),
    *_kind(
        "batch above critical",
        "above_critical_batch",
        [
            "dataset=classification model=linear batch_size=full optimizer=sgd lr=0.3 epochs=60"
            " diagnostics=full diagnostics.every=4",
            "batch_size=512 model=linear optimizer=sgd lr=0.1 epochs=10 diagnostics=full"
            " diagnostics.every=4",
            "dataset=moons model=linear batch_size=full optimizer=sgd lr=0.5 epochs=40"
            " diagnostics=full diagnostics.every=4",
        ],
        [
            "seed=1 dataset=breast_cancer model=linear batch_size=full optimizer=sgd lr=0.3"
            " epochs=40 diagnostics=full diagnostics.every=4",
        ],
    ),
]
"""What needs more columns than every run has."""

NOTED = [
    *_kind(
        "rate never changes",
        "fixed_lr",
        [
            "schedule=constant epochs=15",
            "dataset=moons schedule=constant lr=0.05 epochs=30",
            "dataset=breast_cancer model.hidden=[16] schedule=constant lr=0.01 epochs=20",
        ],
        [
            "seed=1 dataset=classification optimizer=adam lr=0.002 schedule=constant epochs=15",
        ],
    ),
    *_kind(
        "noisy but falling",
        "noisy_but_falling",
        [
            "dataset=wine model.hidden=[16] batch_size=1 lr=0.003 epochs=10",
            "dataset=classification batch_size=4 lr=0.003 epochs=8 schedule.warmup_epochs=0.5",
            "batch_size=4 lr=0.003 epochs=3 schedule.warmup_epochs=0.2",
        ],
        [
            "seed=1 dataset=moons batch_size=2 lr=0.002 epochs=4 schedule.warmup_epochs=0.5",
        ],
    ),
]
"""Nothing is wrong; a note says what is seen."""

ENTRIES = [*HEALTHY, *BROKEN, *LAYERS, *NOTED]

"""AlgoPerf's published times and scores of its self-tuning entries, as data.

From mlcommons/submissions_algorithms, branch a100_scoring, June 2026, which its authors call unofficial: seconds to the
validation target of each workload, rounded here to tenths; infinite where it was missed.
"""

from __future__ import annotations

from math import inf

WORKLOADS = (
    "criteo1tb",
    "fastmri",
    "finewebedu_lm",
    "imagenet_resnet",
    "imagenet_vit",
    "librispeech_conformer",
    "librispeech_deepspeech",
    "ogbg",
    "wmt",
)

_SECONDS: dict[str, tuple[float, ...]] = {
    "schedule_free_adamw_v2": (7480.6, 1128.8, inf, inf, inf, 55846.4, 41911.2, 6325.4, 10325.5),
    "ademamix": (7839.2, 1517.7, 18025.9, inf, inf, 48894.9, inf, 6330.0, 17399.6),
    "schedule_free_adamw": (10337.7, 1188.9, inf, inf, inf, inf, 40463.4, 3640.1, 19957.7),
    "nadamw_baselinev05": (8206.1, 1620.5, 20589.9, inf, inf, inf, inf, 4089.8, 14865.8),
    "schedule_free_adamw_jax_v2": (8204.5, 1850.6, 15452.0, inf, 84891.8, inf, inf, 5444.0, inf),
    "muon_torch": (7141.6, inf, 15471.9, inf, inf, inf, inf, 1833.5, 14214.8),
    "schedule_free_adamw_jax": (inf, 2397.4, 12875.3, inf, 87468.9, inf, inf, 5447.0, 16161.2),
    "nadamw": (7492.7, 1800.8, 25733.8, inf, 72015.6, inf, inf, inf, inf),
    "muon_torch_replicated_torch_hps": (11453.2, inf, 15479.3, inf, inf, inf, inf, 2295.2, 16778.9),
    "cautious_nadamw": (inf, 1608.2, 25739.0, inf, inf, inf, inf, 4992.7, 14232.5),
    "muon_torch_jax_hps_lr_fix": (inf, 1482.9, 15474.6, inf, inf, inf, inf, 1848.3, inf),
    "muon_torch_replicated_jax_hps": (inf, 1210.8, 18048.1, inf, inf, inf, inf, 2754.7, inf),
    "muon": (inf, 1869.8, 20594.0, inf, 77162.9, inf, inf, inf, inf),
    "lion": (inf, 1394.2, 23172.0, inf, inf, inf, inf, 7224.0, 15475.6),
    "nadamw_resnet": (inf, 1920.5, 23163.0, inf, inf, inf, inf, 6349.5, inf),
    "single_worker_diloco": (inf, 2379.3, 28314.8, inf, inf, inf, inf, inf, inf),
    "single_worker_dilocov2": (inf, 2578.1, 28314.0, inf, inf, inf, inf, inf, inf),
}

TIMES = {name: dict(zip(WORKLOADS, seconds, strict=True)) for name, seconds in _SECONDS.items()}
"""Seconds of each entry to the target of each workload."""

SCORES = {
    "schedule_free_adamw_v2": 0.567901,
    "ademamix": 0.519080,
    "schedule_free_adamw": 0.466891,
    "nadamw_baselinev05": 0.450617,
    "schedule_free_adamw_jax_v2": 0.440516,
    "muon_torch": 0.423120,
    "schedule_free_adamw_jax": 0.410774,
    "nadamw": 0.384400,
    "muon_torch_replicated_torch_hps": 0.382716,
    "cautious_nadamw": 0.314254,
    "muon_torch_jax_hps_lr_fix": 0.313692,
    "muon_torch_replicated_jax_hps": 0.296857,
    "muon": 0.284512,
    "lion": 0.278339,
    "nadamw_resnet": 0.185746,
    "single_worker_diloco": 0.136925,
    "single_worker_dilocov2": 0.130191,
}
"""The published score of each entry."""

SPACING = 0.5 / 99
"""The most by which AlgoPerf's sum may differ from the area. It adds a hundred points, from ratio 1 to 4."""

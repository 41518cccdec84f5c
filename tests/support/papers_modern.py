"""The modern rules' oracles by name, with their settings: `oracles.run("paper.prodigy", options, gradients, start)`.

Each is a loop of one of the files below over the gradients of one tensor (weightwise, tensorwise, averaged), of one
matrix, or of all weights as one vector (treewise). All take `weight_decay`, 0 unless given, and `decay`, how:
`coupled`, `decoupled`, `corrected` (by lr²/lr_max, which is `lr` unless `lr_max` is given) or `cautious`; LAMB also
`inside`. LARS has its own place for it, and so have Schedule-Free, in u at y, and the rules for matrices. Prodigy,
D-Adaptation's Adam, DoG and DoWG take `coupled`, the first two `decoupled` as well. `evaluated` yields the weights that
evaluation asks for.
"""

from __future__ import annotations

from papers import Paper
from papers_averaged import defazio, zhang
from papers_matrix import JORDAN, jordan, li, shazeer, vyas, wen
from papers_tensorwise import liang, wortsman, you_lamb, you_lars
from papers_treewise import defazio_mishchenko, defazio_mishchenko_sgd, ivgi, khaled, mishchenko
from papers_weightwise import bernstein, dozat, dozat_constant, everett, kingma_ba_decayed, lee, yuan

_DECOUPLED = {"weight_decay": 0.0, "decay": "decoupled"}
_COUPLED = {"weight_decay": 0.0, "decay": "coupled"}
_ADAM = {"lr": 1e-3, "β₁": 0.9, "β₂": 0.999, "ε": 1e-8, **_DECOUPLED}
_LARS = {"lr": 1.0, "η": 1e-3, "m": 0.9, "weight_decay": 0.0, "still": False}
_LOOKAHEAD = {**_ADAM, "k": 5, "α": 0.5, "evaluated": False}
_FREE = {"lr": 2.5e-3, "β": 0.9, "weight_decay": 0.0, "r": 0.0, "p": 2.0, "warmup": 0, "evaluated": False}
_FREE_ADAM = {**_FREE, "β₂": 0.999, "ε": 1e-8}
_MUON = {"μ": 0.95, "steps": JORDAN, "weight_decay": 0.0}
_DISTANCE = {"lr": 1.0, "β₁": 0.9, "β₂": 0.999, "ε": 1e-8, "d0": 1e-6, "growth_rate": float("inf"), **_DECOUPLED}

MODERN = {
    "nadam_torch": Paper(dozat, {**_ADAM, "lr": 2e-3, "ψ": 4e-3}),
    "nadam_keras": Paper(dozat, {**_ADAM, "ε": 1e-7, "ψ": 1.0}),
    "nadam_optax": Paper(dozat_constant, {**_ADAM, "ahead": 1}),
    "nadamw_timm": Paper(dozat_constant, {**_ADAM, "ahead": 0}),
    "adam_decayed": Paper(kingma_ba_decayed, _ADAM),
    "adam_atan2": Paper(everett, {"lr": 1e-4, "β₁": 0.9, "β₂": 0.99, "a": 1.27, "b": 1.0, **_DECOUPLED}),
    "signum": Paper(bernstein, {"lr": 1e-4, "β": 0.9, **_DECOUPLED}),
    "mars": Paper(yuan, {**_ADAM, "lr": 3e-3, "β₁": 0.95, "β₂": 0.99, "γ": 0.025}),
    "grokfast": Paper(lee, {**_ADAM, "α": 0.98, "λ": 2.0}),
    "lamb": Paper(you_lamb, {**_ADAM, "ε": 1e-6, "decay": "inside"}),
    "lamb_keras": Paper(you_lamb, {**_ADAM, "ε": 1e-7}),
    "lars": Paper(you_lars, {**_LARS, "ratio": "parts", "rate": "inside"}),
    "lars_optax": Paper(you_lars, {**_LARS, "ratio": "sum", "rate": "inside"}),
    "lars_beside": Paper(you_lars, {**_LARS, "ratio": "parts", "rate": "outside"}),
    "stable_adamw": Paper(wortsman, {**_ADAM, "β₂": 0.99, "ε": 1e-6}),
    "cautious_adamw": Paper(liang, {**_ADAM, "ε": 1e-6, "ε_at": "raw"}),
    "cautious_adamw_timm": Paper(liang, {**_ADAM, "ε_at": "root"}),
    "lookahead_sgd": Paper(zhang, {**_LOOKAHEAD, "A": "sgd", "lr": 0.1, "momentum": 0.9}),
    "lookahead_adam": Paper(zhang, {**_LOOKAHEAD, "A": "adam"}),
    "schedule_free_sgd": Paper(defazio, {**_FREE, "lr": 1.0, "u": "sgd"}),
    "schedule_free_adamw": Paper(defazio, {**_FREE_ADAM, "u": "adamw"}),
    "schedule_free_radam": Paper(defazio, {**_FREE_ADAM, "u": "radam", "silent": True}),
    "prodigy": Paper(
        mishchenko,
        {**_DISTANCE, "d_coef": 1.0, "use_bias_correction": False, "safeguard_warmup": False, "skips": True},
    ),
    "dadapt_adam": Paper(defazio_mishchenko, {**_DISTANCE, **_COUPLED, "use_bias_correction": False}),
    "dadapt_sgd": Paper(
        defazio_mishchenko_sgd,
        {"lr": 1.0, "momentum": 0.0, "d0": 1e-6, "growth_rate": float("inf"), "decayed_start": False, **_COUPLED},
    ),
    "dog": Paper(ivgi, {"lr": 1.0, "reps_rel": 1e-6, "ε": 1e-8, **_COUPLED}),
    "muon": Paper(jordan, {**_MUON, "lr": 0.02, "form": "jordan"}),
    "muon_moonlight": Paper(jordan, {**_MUON, "lr": 1e-3, "weight_decay": 0.1, "form": "liu"}),
    "normuon": Paper(li, {"lr": 1e-3, "β₁": 0.95, "β₂": 0.95, "ε": 1e-8, "weight_decay": 0.1, "code": False}),
    "normuon_code": Paper(li, {"lr": 0.02, "β₁": 0.95, "β₂": 0.95, "ε": 1e-10, "weight_decay": 0.0, "code": True}),
    "hyperball_adam": Paper(wen, {**_ADAM, "lr": 0.01}),
    "adafactor": Paper(shazeer, {"lr": 1e-2, "ε₁": 1e-30, "ε₂": 1e-3, "d": 1.0, "weight_decay": 0.0}),
    "soap": Paper(vyas, {"lr": 3e-3, "β₁": 0.95, "β₂": 0.95, "ε": 1e-8, "weight_decay": 0.01, "f": 10}),
    "dowg": Paper(khaled, {"lr": 1.0, "r²": 1e-4, "ε": 1e-4, **_COUPLED}),
}

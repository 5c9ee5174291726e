"""The encoder's optimizer: torch's AdamW, used as transformers' Trainer uses it.

spaCy passes each tensor of an encoder to thinc's Adam on its own: biases and norms decay as matrices
do, and each gradient is clipped by its own norm.
"""

import torch
from thinc.api import Optimizer, PyTorchShim
from transformers import PreTrainedModel


def undecayed(encoder: PreTrainedModel) -> set[str]:
    """Return the names of the parameters that do not decay: biases, and the weights of norms."""
    norms = {
        f"{name}.{parameter}"
        for name, module in encoder.named_modules()
        if "norm" in type(module).__name__.lower()
        for parameter, _ in module.named_parameters(recurse=False)
    }
    return norms | {name for name, _ in encoder.named_parameters() if name.endswith("bias")}


def is_adamw(optimizer: Optimizer) -> bool:
    """Return whether thinc's optimizer is AdamW, without averages of the weights."""
    adam = optimizer.b1 > 0 and optimizer.b2 > 0 and not optimizer.use_radam
    return (
        adam and (optimizer.L2_is_weight_decay or not optimizer.L2) and optimizer.averages is None
    )


class EncoderOptimizer:
    """Updates an encoder's weights, in the place of its shim's `finish_update`.

    It takes its settings from thinc's optimizer at each update, schedules included, so that a
    config's [training.optimizer] is in force, and the saved config has nothing of this project. The
    gradients are clipped by their common norm; biases and norms do not decay. An optimizer other
    than AdamW is left to update the weights itself.
    """

    def __init__(self, shim: PyTorchShim) -> None:
        self.shim = shim
        self.finish_update = shim.finish_update
        kept = undecayed(shim._model)
        trained = [(name, p) for name, p in shim._model.named_parameters() if p.requires_grad]
        self.parameters = [parameter for _, parameter in trained]
        groups = [[p for name, p in trained if (name in kept) == is_kept] for is_kept in (0, 1)]
        self.adam = torch.optim.AdamW([{"params": group} for group in groups], fused=True)
        shim.finish_update = self

    def __call__(self, optimizer: Optimizer) -> None:
        if not is_adamw(optimizer):
            self.finish_update(optimizer)
            return
        scaler = self.shim._grad_scaler
        # After an overflow in mixed precision, there is no update.
        if not scaler.found_inf:
            for group, decay in zip(self.adam.param_groups, (optimizer.L2, 0.0)):
                group["lr"], group["weight_decay"] = optimizer.learn_rate, decay
                group["betas"], group["eps"] = (optimizer.b1, optimizer.b2), optimizer.eps
            if optimizer.grad_clip:
                torch.nn.utils.clip_grad_norm_(self.parameters, optimizer.grad_clip)
            self.adam.step()
        self.adam.zero_grad()
        scaler.update()

"""A spaCy logger that writes TensorBoard curves."""

from collections.abc import Callable
from typing import IO, Any

from spacy.language import Language
from spacy.util import registry
from torch.utils.tensorboard import SummaryWriter

Info = dict[str, Any] | None


@registry.loggers("project.tensorboard_logger.v1")
def tensorboard_logger(folder: str | None):
    """Write losses, scores, words seen and the learn rate at each evaluation into `folder`.

    None writes nothing. To be chained with a console logger (spacy.ChainLogger.v1).
    """

    def setup(
        nlp: Language, stdout: IO, stderr: IO
    ) -> tuple[Callable[[Info], None], Callable[[], None]]:
        if folder is None:
            return lambda info: None, lambda: None
        writer = SummaryWriter(folder)
        schedule = nlp.config.interpolate()["training"]["optimizer"]["learn_rate"]
        rates = enumerate(registry.resolve({"schedule": schedule})["schedule"])

        def log_step(info: Info) -> None:
            # Between evaluations spaCy gives None, or a score of None.
            if not info or info["score"] is None:
                return
            step = info["step"]
            for component, loss in info["losses"].items():
                writer.add_scalar(f"loss/{component}", loss, step)
            for name, value in info["other_scores"].items():
                if isinstance(value, (int, float)):
                    writer.add_scalar(f"score/{name}", value, step)
            writer.add_scalar("score/overall", info["score"], step)
            # A schedule of thinc is a generator, one value an update.
            rate = next(rate for index, rate in rates if index == step)
            writer.add_scalar("learn_rate", rate, step)
            writer.add_scalar("words", info["words"], step)
            writer.flush()

        return log_step, writer.close

    return setup

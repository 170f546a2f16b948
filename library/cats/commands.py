"""The verbs of cats: their images, what models draw of them, and the models side by side."""

import math

from library.cats.options import CurationOptions, GenerationOptions, SideBySideOptions
from library.framework import discovery, images
from library.framework.cli.commands import filled
from library.framework.cli.main import Alone
from library.framework.environment import start_keras
from library.framework.errors import UserError


def cats(options: CurationOptions) -> None:
    """Makes a set of cats of a folder, zip, tar, npy or address of images, or goes on with it."""
    from library.cats.data.curation import run
    from library.framework.tracking import session

    with session.open_store(options.store) as store:
        run.make_cats(options, store)


def generate(options: GenerationOptions) -> None:
    """Draws cats with a registered model and writes them as one PNG."""
    try:
        target = images.check_target(options.out)
    except ValueError as error:
        raise UserError(str(error)) from None
    experiment = discovery.find(options.model)
    config = experiment.config()
    with filled(options):
        from library.cats.figures import tiled
        from library.framework import registry

        start_keras(experiment.cores(config))
        model = registry.load(experiment.model_name(config), options.stage)
        strategy = {"strategy": options.strategy} if options.strategy else {}
        try:
            drawn = model.predict([options.n], params={"seed": options.seed, **strategy})
        except ValueError as error:  # of a strategy that it does not have
            raise UserError(str(error)) from None
    images.save(tiled(drawn, columns=math.ceil(math.sqrt(options.n))), target)
    print(target)


def side_by_side(options: SideBySideOptions) -> None:
    """Compares the registered models of cats of a stage: a run, tables, figures and a page of them."""
    with filled(options) as store:
        start_keras(None)

        from library.cats.comparison import compare

        compare(options, store)


COMMANDS: Alone = {
    "cats": (cats, CurationOptions),
    "generate": (generate, GenerationOptions),
    "side-by-side": (side_by_side, SideBySideOptions),
}
"""The commands of this family, by name, with their options."""

"""The verbs of cats: their images, what models draw of them, and the models side by side."""

import math

from library import discovery
from library.compute import start_keras
from library.data import pictures
from library.errors import UserError
from library.options import CurationOptions, GenerationOptions, SideBySideOptions
from library.verbs.store import filled


def cats(options: CurationOptions) -> None:
    """Makes a set of cats of a folder, zip, tar, npy or address of images, or goes on with it."""
    from library import curating, tracking

    with tracking.open_store(options.store) as store:
        curating.make_cats(options, store)


def generate(options: GenerationOptions) -> None:
    """Draws cats with a registered model and writes them as one PNG."""
    try:
        target = pictures.check_target(options.out)
    except ValueError as error:
        raise UserError(str(error)) from None
    experiment = discovery.find(options.model)
    config = experiment.config()
    with filled(options):
        from library import registry
        from library.evaluation.cat_figures import tiled

        start_keras(experiment.cores(config))
        model = registry.load(experiment.model_name(config), options.stage)
        strategy = {"strategy": options.strategy} if options.strategy else {}
        try:
            drawn = model.predict([options.n], params={"seed": options.seed, **strategy})
        except ValueError as error:  # of a strategy that it does not have
            raise UserError(str(error)) from None
    pictures.save(tiled(drawn, columns=math.ceil(math.sqrt(options.n))), target)
    print(target)


def side_by_side(options: SideBySideOptions) -> None:
    """Compares the registered models of cats of a stage: a run, tables, figures and a page of them."""
    with filled(options) as store:
        start_keras(None)

        from library.side_by_side import compare

        compare(options, store)

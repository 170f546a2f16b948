"""The verbs of registered models: served, listed, and moved from stage to stage."""

from library.compute import start_keras
from library.options import ModelOptions, PromotionOptions, ServeOptions, StoreOptions, VersionOptions
from library.verbs.store import filled


def serve(options: ServeOptions) -> None:
    """Answers with a registered model over HTTP, to this machine alone, until it is stopped."""
    from library.server import ports

    with ports.held(options.port) as listening, filled(options):
        from library import registry
        from library.server import service

        version = registry.find(options.model, options.stage)
        start_keras(service.cores(version))
        service.serve(registry.load_version(version), version, listening)


def models(options: StoreOptions) -> None:
    """Lists all registered models' versions: stage, score, run, age and size."""
    with filled(options):
        from library import listing, registry

        listing.models(registry.overview())


def promote(options: PromotionOptions) -> None:
    """Moves a version of a registered model to a stage, unless it is refused."""
    with filled(options):
        from library import listing, registry

        promotion = registry.appoint(options.model, str(options.version), options.stage, force=options.force)
        listing.moved(options.model, promotion)


def archive(options: VersionOptions) -> None:
    """Takes a version of a registered model out of its stage."""
    promote(PromotionOptions(**options.model_dump(), stage="Archived"))


def rollback(options: ModelOptions) -> None:
    """Brings back the version that was in Production before; once more goes further back."""
    with filled(options):
        from library import listing, registry

        listing.moved(options.model, registry.rollback(options.model))


def history(options: ModelOptions) -> None:
    """Tells who of a registered model was in Production, when and why."""
    with filled(options):
        from library import listing, registry

        listing.history(options.model, registry.history(options.model))

"""The section that describes a detector: a text to look out for in answers."""

from werkzeugkoppler.config.section import NonBlank, Section


class Detector(Section):
    """Its `pattern` is a glob, found anywhere in an answer, in any case."""

    name: NonBlank
    pattern: NonBlank

"""Templates of the files of a report, in which whatever is filled in is escaped."""

from collections.abc import Callable

from markupsafe import Markup
from markupsafe import escape as as_it_is

from sgdlab.visible import visible_lines


def filled(name: str, escape: Callable[[str], str], **content: object) -> str:
    """Return a template with its content, escaped save what is `Markup` already.

    Args:
        name: The name of the template's file in this folder.
        escape: Returns text in the language of the file, so that it shows as itself.
        **content: What the template calls by these names.
    """
    # Only whoever writes a page waits for the engine.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def escaped(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    environment = Environment(
        loader=PackageLoader("sgdlab.report"), undefined=StrictUndefined, finalize=escaped,
        autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["e"] = lambda value: as_it_is(visible_lines(str(value)))
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment.get_template(name).render(**content)

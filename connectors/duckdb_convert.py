"""A tidy CSV table as Parquet, written by DuckDB itself."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from connectors.duckdb_file import open_memory
from domain.errors import Misconfigured


def csv_to_parquet(source: Path, target: Path, types: Mapping[str, str]) -> None:
    """Write the rows of ``source`` to ``target``, complete or not at all; ``types`` are DuckDB's, of every column.

    Raises:
        Misconfigured: the target cannot be written.
    """
    columns = ", ".join(f"{_quoted(name)}: {_quoted(kind)}" for name, kind in types.items())
    temporary = target.with_name(target.name + ".part")
    connection = open_memory(target.parent)
    try:
        connection.execute(
            f"COPY (SELECT * FROM read_csv({_quoted(str(source))}, header = true, auto_detect = false, delim = ',',"
            f" quote = '\"', escape = '\"', columns = {{{columns}}})) TO {_quoted(str(temporary))} (FORMAT parquet)"
        )
        temporary.replace(target)
    except (duckdb.Error, OSError) as error:
        raise Misconfigured(f"{target} cannot be written: {str(error).splitlines()[0]}") from None
    finally:
        connection.close()
        temporary.unlink(missing_ok=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

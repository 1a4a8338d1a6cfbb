"""Holds the facts that rules use of each language: its files, comments and grammar, in one table.

A language that is not here is `UNKNOWN`: the rules then go by the text alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """Facts about one language, by the id that editors send (LSP 3.18, "TextDocumentItem")."""

    id: str
    extensions: tuple[str, ...] = ()
    line_comments: tuple[str, ...] = ()
    """Marks of comments that run to the end of the line, the usual one first."""
    block_comment: tuple[str, str] | None = None
    quotes: str = "\"'"
    """Characters that begin and end a string."""
    is_prose: bool = False
    """Whether brackets, quotes and statements mean nothing in it."""
    grammar: str = ""
    """Grammar of tree-sitter, as `package:function`; empty where text rules must do."""
    ends_statements_at_newline: bool = False
    """Whether no line goes on with a statement that is whole at the end of the line before."""
    comments_begin_words: bool = False
    """Whether a mark inside of a word begins no comment, as in `$#` of a shell."""
    unpaired_closers: str = ""
    """Closers that also stand where nothing is open."""
    indents_with: str = ""
    """White space that alone may stand in front of a line; empty where both may."""
    has_tags: bool = False
    """Whether it consists of elements between tags."""

    @property
    def line_comment(self) -> str:
        """The usual mark; `#` where the language has none, as for a path in a prompt."""
        return self.line_comments[0] if self.line_comments else "#"


UNKNOWN = Language("", line_comments=("#",), quotes="\"'`")
"""Stands for any other language."""

_C_BLOCK = ("/*", "*/")


def _c_like(id_: str, *extensions: str, quotes: str = "\"'", grammar: str = "") -> Language:
    return Language(id_, extensions, ("//",), _C_BLOCK, quotes, grammar=grammar)


_TABLE = (
    Language(
        "python",
        (".py", ".pyi"),
        ("#",),
        grammar="tree_sitter_python:language",
        ends_statements_at_newline=True,
    ),
    _c_like(
        "javascript",
        ".js",
        ".mjs",
        ".cjs",
        quotes="\"'`",
        grammar="tree_sitter_javascript:language",
    ),
    _c_like(
        "javascriptreact",
        ".jsx",
        quotes="\"'`",
        grammar="tree_sitter_javascript:language",
    ),
    _c_like(
        "typescript",
        ".ts",
        ".mts",
        ".cts",
        quotes="\"'`",
        grammar="tree_sitter_typescript:language_typescript",
    ),
    _c_like(
        "typescriptreact",
        ".tsx",
        quotes="\"'`",
        grammar="tree_sitter_typescript:language_tsx",
    ),
    _c_like("c", ".c", ".h", grammar="tree_sitter_c:language"),
    _c_like("cpp", ".cpp", ".cc", ".cxx", ".hpp", ".hh", grammar="tree_sitter_cpp:language"),
    _c_like("csharp", ".cs", grammar="tree_sitter_c_sharp:language"),
    _c_like("java", ".java", grammar="tree_sitter_java:language"),
    _c_like("go", ".go", quotes="\"'`", grammar="tree_sitter_go:language"),
    # 'a is a lifetime in Rust, so the single quote says nothing there.
    _c_like("rust", ".rs", quotes='"', grammar="tree_sitter_rust:language"),
    _c_like("kotlin", ".kt", ".kts"),
    _c_like("swift", ".swift", quotes='"'),
    _c_like("scala", ".scala", quotes='"'),
    _c_like("dart", ".dart"),
    Language("php", (".php",), ("//", "#"), _C_BLOCK, grammar="tree_sitter_php:language_php"),
    Language("ruby", (".rb",), ("#",), grammar="tree_sitter_ruby:language"),
    Language(
        "shellscript",
        (".sh", ".bash", ".zsh"),
        ("#",),
        grammar="tree_sitter_bash:language",
        comments_begin_words=True,
        unpaired_closers=")",  # behind the patterns of `case`
    ),
    Language("lua", (".lua",), ("--",), ("--[[", "]]")),
    Language("sql", (".sql",), ("--",), _C_BLOCK, grammar="tree_sitter_sql:language"),
    Language("haskell", (".hs",), ("--",), ("{-", "-}"), quotes='"'),
    Language("r", (".r", ".R"), ("#",)),
    Language("perl", (".pl", ".pm"), ("#",)),
    Language("julia", (".jl",), ("#",), ("#=", "=#"), quotes='"'),
    Language("elixir", (".ex", ".exs"), ("#",)),
    Language("vim", (".vim",), ('"',), quotes="'"),
    Language("clojure", (".clj", ".cljs"), (";",), quotes='"'),
    Language("lisp", (".lisp",), (";",), quotes='"'),
    Language("emacs-lisp", (".el",), (";",), quotes='"'),
    Language("css", (".css",), (), _C_BLOCK),
    Language("scss", (".scss",), ("//",), _C_BLOCK),
    Language("less", (".less",), ("//",), _C_BLOCK),
    Language("html", (".html", ".htm"), (), ("<!--", "-->"), has_tags=True),
    Language("xml", (".xml", ".svg"), (), ("<!--", "-->"), has_tags=True),
    Language("json", (".json",), (), quotes='"'),
    Language("jsonc", (".jsonc",), ("//",), _C_BLOCK, quotes='"'),
    Language("toml", (".toml",), ("#",)),
    Language("yaml", (".yaml", ".yml"), ("#",), comments_begin_words=True, indents_with=" "),
    Language("makefile", (".mk",), ("#",), indents_with="\t"),
    Language("dockerfile", (), ("#",)),
    Language("tex", (".tex",), ("%",), quotes="", is_prose=True),
    Language("latex", (), ("%",), quotes="", is_prose=True),
    Language("markdown", (".md",), (), ("<!--", "-->"), quotes="", is_prose=True),
    Language("plaintext", (".txt",), (), quotes="", is_prose=True),
)

_BY_ID = {language.id: language for language in _TABLE}
_ID_BY_EXTENSION = {
    extension: language.id for language in _TABLE for extension in language.extensions
}
_ID_BY_NAME = {"Makefile": "makefile", "Dockerfile": "dockerfile"}


def language(id_: str) -> Language:
    """Returns the facts about the language of an id.

    >>> language("go").line_comment, language("never heard of") is UNKNOWN
    ('//', True)
    """
    return _BY_ID.get(id_, UNKNOWN)


def language_id(name: str) -> str:
    """Returns the id of a file's language, by the file's name, as editors send it.

    >>> language_id("main.go"), language_id("Makefile"), language_id("notes")
    ('go', 'makefile', 'plaintext')
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    extension = base[base.rfind(".") :] if "." in base else ""
    return _ID_BY_NAME.get(base) or _ID_BY_EXTENSION.get(extension, "plaintext")


def language_ids() -> tuple[str, ...]:
    """Returns every id in the table."""
    return tuple(_BY_ID)

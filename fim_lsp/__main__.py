"""`python -m fim_lsp` is `fim-lsp`."""

import sys

if sys.version_info < (3, 10):  # before an import that an older Python cannot even read
    sys.exit(
        "fim-lsp: needs Python 3.10 or later, and this is %d.%d (%s); install fim-lsp with a newer "
        "one, and name that one in the editor" % (*sys.version_info[:2], sys.executable)
    )

from fim_lsp.cli import main

sys.exit(main())

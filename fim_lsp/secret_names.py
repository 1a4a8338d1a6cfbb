"""Names of files and folders that hold secrets; data.

The list rather takes a file too many: a missing suggestion costs a moment, a leaked key costs a
night.  Letters' case is ignored.
"""

from __future__ import annotations

SECRET_FOLDERS = (
    ".env*", ".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".config/gcloud", ".config/gh",
    ".config/hub", ".config/op", ".config/rclone", ".config/sops", ".config/doctl", ".oci", ".kube",
    ".docker", ".chef", ".vault", ".vault.d", ".terraform.d", ".password-store", ".pki", ".putty",
    ".1password", ".bitwarden", ".filezilla", ".subversion/auth", ".local/share/keyrings",
    "secrets", ".secrets", "secrets.d",
)  # fmt: skip
"""Globs of folders, all that lies in them included."""

SECRET_FILES = (
    # environments
    ".env*", "*.env", ".dev.vars", ".flaskenv", ".Renviron",
    *(f"{name}.{kind}" for name in ("env", "*.env")
      for kind in ("local", "*.local", "dev", "development", "test", "staging", "prod",
                   "production")),
    # keys and certificates
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.agekey",
    "*.kdb", "*.kdbx", "*.asc", "*.gpg", "*.pgp", "*.ppk", "*.crt", "*.cer", "*.cert", "*.der",
    "*.csr", "*.ovpn", "*.keytab", "*.keychain", "*.keychain-db", "*.mobileprovision", "wallet.dat",
    *(f"{before}id_{kind}*" for before in ("", "*[-_.]")
      for kind in ("rsa", "dsa", "ecdsa", "ed25519")),
    "ssh_host_*_key*", "secring.*",
    # passwords and tokens of tools
    ".netrc*", "_netrc", ".authinfo*", ".pgpass", "pgpass.conf", ".my.cnf", ".mylogin.cnf",
    ".npmrc", ".yarnrc*", ".pypirc", ".git-credentials*", ".git/config*", ".htpasswd*", "htpasswd",
    ".passwd", ".dockercfg", "kubeconfig*", "*.kubeconfig", ".m2/settings.xml",
    ".cargo/credentials*", ".gem/credentials", ".bundle/config", ".composer/auth.json",
    ".vault-token", ".vault_pass*",
    ".s3cfg", ".boto", ".rhosts", ".lftprc", ".ftpconfig", "sftp-config.json", ".terraformrc",
    "wp-config*.php", "local.settings.json", "*firebase-adminsdk*.json",
    # what was typed into a shell
    ".*_history", ".history",
    # named for what they hold
    "credentials*", "*credentials.json", "client_secret*.json", "client-secret*.json", "secret.*",
    "secrets.*", "secrets", "*.secret", "*.secrets", "secrets_*", "secrets-*", "*_secrets.*",
    "*-secrets.*", "*-secret.y*ml", "*_secret.y*ml", "*service-account*.json",
    "*service_account*.json", "passwd", "shadow", "gshadow",
    "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*",
)  # fmt: skip
"""Globs of a file's name; with a slash, of the end of its path."""

BACKUPS = ("~", "#", ".bak", ".backup", ".old", ".orig", ".save", ".sav", ".tmp", ".copy", ".swp",
            ".swo")  # fmt: skip
"""Ends of names that editors and people give to copies."""

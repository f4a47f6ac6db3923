"""Who may say what: a person's passphrase and the two keys that come of it, and signatures by OpenSSH."""

import pytest
@pytest.mark.parametrize(("n","v"), [("UV_NO_CONFIG","1"),("UV_CONFIG_FILE","/dev/null"),("UV_INDEX_URL","http://127.0.0.1:1/simple"),("UV_DEFAULT_INDEX","http://127.0.0.1:1/simple"),("UV_OFFLINE","1"),("UV_EXCLUDE_NEWER","2020-01-01"),("UV_RESOLUTION","lowest"),("UV_PRERELEASE","allow"),("UV_NO_INDEX","1"),("UV_CONSTRAINT","/tmp/e2e/c.txt"),("UV_OVERRIDE","/tmp/e2e/c.txt"),("UV_FORK_STRATEGY","fewest"),("UV_CUSTOM_COMPILE_COMMAND","x"),("UV_QUIET","1"),("UV_VERBOSE","1"),("UV_HTTP_TIMEOUT","x"),("UV_ENV_FILE","x"),("UV_BUILD_CONSTRAINT","/nonexistent"),("UV_NO_DEFAULT_GROUPS","1"),("UV_LINK_MODE","copy"),("UV_PYTHON_PREFERENCE","only-managed"), ("UV_NO_HASHES","1"),("UV_GENERATE_HASHES","0"),("UV_UNIVERSAL","1"),("UV_NO_DEPS","1"),("UV_EXTRA_INDEX_URL","http://127.0.0.1:1/simple"),("UV_INDEX","http://127.0.0.1:1/simple"),("UV_INDEX_STRATEGY","unsafe-best-match"),("UV_ISOLATED","1"),("UV_REQUIREMENTS","x"),("UV_EXCLUDE","alpha"),("UV_NO_EDITABLE","1"),("UV_FROZEN","1"),("UV_LOCKED","1"),("UV_DRY_RUN","1"),("UV_OUTPUT_FILE","z"),("UV_TARGET","x"),("UV_PREFIX","x"),("UV_EMIT_INDEX_URL","1"),("UV_ONLY_BINARY",":all:"),("UV_NO_BINARY",":all:"),("UV_MALWARE_CHECK","1"),("RUST_LOG","debug"),("VIRTUAL_ENV","/nope"),("FORCE_COLOR","1"),("CLICOLOR_FORCE","1")])
def test_env(site, monkeypatch, n, v):
    open("/tmp/e2e/c.txt","w").write("alpha==0.5\n")
    monkeypatch.setenv(n, v)
    from wheelship.cli.main import main
    s = main(["lock", str(site.root), "--json"]); o=site.capsys.readouterr()
    ok = "alpha" in ((site.root/"pylock.cpu.toml").read_text() if (site.root/"pylock.cpu.toml").exists() else "")
    with site.capsys.disabled():
        print(n, s, ok, "" if s==0 and ok else o.out[:500])

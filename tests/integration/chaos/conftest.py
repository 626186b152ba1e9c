def pytest_configure(config):
    config.addinivalue_line("markers", "slow: its times are promised, or it is long: not run with sanitizers")
    config.addinivalue_line("markers", "mutant: a fault built in on purpose, which has to be caught: `make mutants`")

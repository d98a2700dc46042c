import json
def test_it(site):
    print(json.dumps(site.build(), indent=1))
    assert 0

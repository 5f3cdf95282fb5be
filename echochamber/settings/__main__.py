"""python -m echochamber.settings > config/schema.json: the JSON schema of a grid file, for editors."""

import json

from echochamber.settings import GridFile

print(json.dumps(GridFile.model_json_schema(), indent=1))

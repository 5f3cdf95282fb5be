"""Programs that try to get out, to hang or to fill the machine, and boxes that do the same to a parser.

`SECRET` (a file with the text of `MARK`, also in the environment as ECHO_TEST_SECRET), `TARGET` (a path that must never
exist), `PORT` (a listening socket), `PARENT` (the host's process id) and `GOLD` are filled in by the test.
"""

from __future__ import annotations

BURN: dict[str, str] = {
    # endless or nearly so
    "endless loop": "while True: pass",
    "endless loop that catches everything": "while True:\n    try: [] + 1\n    except BaseException: pass",
    "endless loop in finally": "try:\n    while True: pass\nfinally:\n    while True: pass",
    "endless iterator": "import itertools\nreturn sum(itertools.count())",
    "endless nested ranges": "return sum(1 for a in range(10**9) for b in range(10**9))",
    "endless string methods": "s = 'ab' * 10**5\nwhile True: s = s.replace('a', 'b').replace('b', 'a')",
    "endless sort": "x = list(range(10**5))\nwhile True: x.sort(key=lambda v: -v)",
    "sleep for a day": "import time\ntime.sleep(86400)\nreturn 1",
    "asyncio sleep": "import asyncio\nasyncio.run(asyncio.sleep(86400))\nreturn 1",
    "range to a list": "return list(range(10**12))",
    # numbers
    "tower of powers": "return 10**10**8",
    "power in a loop": "x = 2\nwhile True: x = x ** 2",
    "shift": "return 1 << 10**12",
    "factorial": "import math\nreturn math.factorial(10**7)",
    "comb": "import math\nreturn math.comb(10**7, 5 * 10**6)",
    "product": "import math\nreturn math.prod(range(1, 10**7))",
    "modular power": "return pow(3, 10**10**6, 7)",
    "huge integer to text": "return str(7**10**6)",
    "huge integer returned": "return 7**10**7",
    "text to huge integer": "return int('9' * 10**7)",
    "hex to huge integer": "return int('f' * 10**7, 16)",
    "decimal precision": "from decimal import Decimal, getcontext\ngetcontext().prec = 10**9\nreturn Decimal(2).sqrt()",
    "decimal exponent": "from decimal import Decimal\nreturn Decimal('1e999999999') + 1",
    "float format width": "return f'{1.5:.2000000000f}'",
    "round to billions of digits": "return round(1.5, 2**62)",
    # memory
    "a terabyte of text": "return 'a' * 10**12",
    "a terabyte of list": "return [0] * 10**12",
    "padding": "return 'a'.ljust(10**12)",
    "zfill": "return '1'.zfill(10**12)",
    "format width": "return '{:>1000000000000}'.format(1)",
    "percent width": "return '%1000000000000d' % 1",
    "join": "return ','.join(['a' * 10**6] * 10**6)",
    "doubling text": "s = 'ab'\nwhile True: s += s",
    "doubling list": "x = [1]\nwhile True: x += x",
    "growing dict": "d = {}\ni = 0\nwhile True:\n    d[i] = str(i) * 100\n    i += 1",
    "nested lists": "x = []\nwhile True: x = [x]",
    "exponential graph": "x = []\nfor _ in range(200): x = [x, x]\nreturn x",
    "text of an exponential graph": "x = []\nfor _ in range(200): x = [x, x]\nreturn str(x)",
    "cyclic list": "x = []\nx.append(x)\nreturn x",
    "deep list": "x = []\nfor _ in range(50000): x = [x]\nreturn x",
    "many permutations": "import itertools\nreturn list(itertools.permutations(range(12)))",
    "cartesian product": "import itertools\nreturn list(itertools.product(range(1000), repeat=5))",
    "bytes": "return bytes(10**12)",
    "replace explosion": "return ('a' * 10**6).replace('a', 'b' * 10**6)",
    "expandtabs": "return ('\\t' * 10**6).expandtabs(10**6)",
    "splitlines": "return len(('\\n' * 10**8).splitlines())",
    "translate": "return ('a' * 10**6).translate({97: 'b' * 10**6})",
    "json": "import json\nreturn json.loads('[' * 10**6)",
    # recursion and nesting
    "recursion": "def f(): return f()\nreturn f()",
    "mutual recursion": "def f(): return g()\ndef g(): return f()\nreturn f()",
    "recursion through sort": "class A:\n    def __lt__(self, other): return self < other\nreturn sorted([A(), A()])",
    "recursion through repr": "class A:\n    def __repr__(self): return repr(self)\nreturn repr(A())",
    "recursion through eq": "class A:\n    def __eq__(self, other): return self == other\nreturn A() == A()",
    "recursion through hash": "class A:\n    def __hash__(self): return hash(self)\nreturn {A(): 1}",
    "recursion through getattr": "class A:\n    def __getattr__(self, name): return getattr(self, name)\nreturn A().x",
    "lambda recursion": "f = lambda g: g(g)\nreturn f(f)",
    "nested parentheses": "return " + "(" * 2000 + "1" + ")" * 2000,
    "nested lists in the source": "return " + "[" * 2000 + "]" * 2000,
    "nested unary operators": "return " + "-" * 4000 + "1",
    "nested not": "return " + "not " * 1500 + "1",
    "nested lambdas": "return " + "lambda: " * 800 + "1",
    "nested functions": "".join(" " * 4 * i + f"def f{i}():\n" for i in range(40)) + " " * 160 + "return 1",
    "long chain of operators": "return " + "1 + " * 1900 + "1",
    "long attribute chain": "return a" + ".a" * 3000,
    "long elif chain": "x = 1\nif x == 0: pass\n"
    + "".join(f"elif x == {i}: pass\n" for i in range(2, 400))
    + "return 1",
    # output and regular expressions
    "a gigabyte of print": "for _ in range(10**6): print('a' * 1000)\nreturn 1",
    "one huge print": "print('a' * 10**7)\nreturn 1",
    "print without end": "while True: print('a', end='')",
    "stderr": "import sys\nwhile True: print('a', file=sys.stderr)",
    "catastrophic regex": "import re\nreturn re.match('(a+)+$', 'a' * 5000 + 'b')",
    "catastrophic alternation": "import re\nreturn re.match('(a|a)*$', 'a' * 5000 + 'b')",
    "catastrophic backreference": "import re\nreturn re.match(r'(a*)*\\1$', 'a' * 500 + 'b')",
    "regex of huge repeats": "import re\nreturn re.match('((a{1000}){1000}){1000}', 'a')",
    "regex of a huge pattern": "import re\nreturn re.compile('a?' * 10**6 + 'a' * 10**6)",
    "endless exec": "exec('while True: pass')",
    "exit": "class A:\n    def __enter__(s): pass\n    def __exit__(s, *a): exec('while 1: 1')\nwith A(): pass",
    "iterator that never ends": "class A:\n    def __iter__(s): return s\n    def __next__(s): pass\nlist(A())",
    "length lies": "class A:\n    def __len__(self): return 10**18\nreturn [0] * len(A())",
}

REACH: dict[str, str] = {
    # files
    "open a secret": "return open('SECRET').read()",
    "open for writing": "f = open('TARGET', 'w')\nf.write('x')\nreturn 1",
    "pathlib read": "from pathlib import Path\nreturn Path('SECRET').read_text()",
    "pathlib write": "from pathlib import Path\nPath('TARGET').write_text('x')\nreturn 1",
    "pathlib touch": "from pathlib import Path\nPath('TARGET').touch()\nreturn 1",
    "list a folder": "import os\nreturn str(os.listdir('/'))",
    "make a folder": "import os\nos.mkdir('TARGET')\nreturn 1",
    "remove a file": "import os\nos.remove('SECRET')\nreturn 1",
    "os.open": "import os\nreturn os.read(os.open('SECRET', 0), 100)",
    "io.open": "import io\nreturn io.open('SECRET').read()",
    "own memory": "return open('/proc/self/mem', 'rb').read(10)",
    "own environment": "return open('/proc/self/environ').read()",
    "parent's environment": "return open('/proc/PARENT/environ').read()",
    "relative walk": "return open('../../../../../../../../SECRET').read()",
    "fileinput": "import fileinput\nreturn next(fileinput.input('SECRET'))",
    "shutil": "import shutil\nshutil.copy('SECRET', 'TARGET')\nreturn 1",
    "tempfile": "import tempfile\nreturn tempfile.mkdtemp()",
    "linecache": "import linecache\nreturn linecache.getline('SECRET', 1)",
    "sqlite": "import sqlite3\nsqlite3.connect('TARGET')\nreturn 1",
    # environment, processes, network, the host
    "os.environ": "import os\nreturn os.environ['ECHO_TEST_SECRET']",
    "os.getenv": "import os\nreturn os.getenv('ECHO_TEST_SECRET')",
    "os.system": "import os\nos.system('touch TARGET')\nreturn 1",
    "os.popen": "import os\nreturn os.popen('cat SECRET').read()",
    "subprocess": "import subprocess\nreturn subprocess.check_output(['cat', 'SECRET'])",
    "fork": "import os\nreturn os.fork()",
    "fork bomb": "import os\nwhile True: os.fork()",
    "execv": "import os\nos.execv('/bin/sh', ['sh', '-c', 'touch TARGET'])",
    "kill the parent": "import os\nos.kill(PARENT, 9)\nreturn 1",
    "kill the group": "import os\nos.killpg(0, 9)\nreturn 1",
    "signal games": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass",
    "alarm": "import signal\nsignal.alarm(1)\nreturn 1",
    "threads": "import threading\nwhile True: threading.Thread(target=print).start()",
    "multiprocessing": "import multiprocessing\nmultiprocessing.Process(target=print).start()\nreturn 1",
    "socket": "import socket\nsocket.create_connection(('127.0.0.1', PORT))\nreturn 1",
    "urllib": "import urllib.request\nreturn urllib.request.urlopen('http://127.0.0.1:PORT').read()",
    "asyncio connection": "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', PORT))\nreturn 1",
    "ctypes": "import ctypes\nctypes.string_at(0)\nreturn 1",
    "sys.exit": "import sys\nsys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "sys.modules": "import sys\nreturn sys.modules['os'].system('touch TARGET')",
    "importlib": "import importlib\nreturn importlib.import_module('os').system('touch TARGET')",
    "gc": "import gc\nreturn gc.get_objects()",
    "inspect frames": "import sys\nreturn sys._getframe().f_back.f_globals",
    "pickle": "import pickle\nreturn pickle.loads(b\"cos\\nsystem\\n(S'touch TARGET'\\ntR.\")",
    "pty": "import pty\npty.spawn('/bin/sh')",
    "webbrowser": "import webbrowser\nwebbrowser.open('http://127.0.0.1:PORT')\nreturn 1",
    "pip": "import pip\nreturn 1",
    "input": "return input()",
    "breakpoint": "breakpoint()\nreturn 1",
    # reflection
    "subclasses": "return ().__class__.__bases__[0].__subclasses__()",
    "dunder import": "return __import__('os').system('touch TARGET')",
    "builtins dict": "return __builtins__['__import__']('os').system('touch TARGET')",
    "function globals": "def f(): pass\nreturn f.__globals__['__builtins__']",
    "generator frame": "g = (x for x in [1])\nreturn g.gi_frame.f_back.f_builtins",
    "str.format dunders": "return '{0.__class__.__init__.__globals__}'.format(simple_math_problem)",
    "format_map": "return '{x.__class__}'.format_map({'x': 1})",
    "exception traceback": "try:\n    1 / 0\nexcept Exception as e:\n    return e.__traceback__.tb_frame.f_globals",
    "mro": "return str(int.mro())",
    "getattr walk": "return getattr(getattr((), '__cl' + 'ass__'), '__ba' + 'ses__')",
    "type with metaclass": "return type('A', (object,), {'__init__': print})()",
    "code object": "return simple_math_problem.__code__.co_code",
    "exec": "exec('import os; os.system(\"touch TARGET\")')\nreturn 1",
    "eval": 'return eval(\'__import__("os").system("touch TARGET")\')',
    "compile": "return eval(compile('1', '', 'eval')) and open('TARGET', 'w')",
    "exec of a nested source": "exec('(' * 10**5)",
    "eval of a bomb": "return eval('9**9**9')",
    "object finaliser": "class A:\n    def __del__(self): open('TARGET', 'w')\nA()\nreturn 1",
    "generator close": "def g():\n    try: yield 1\n    finally:\n        while True: pass\nnext(g())",
}

BODIES = BURN | REACH

BOXES: dict[str, str] = {
    "tower of powers": "9^{9^9}",
    "factorial": "100000000!",
    "nested braces": "{" * 2000 + "}" * 2000,
    "python in a box": "__import__('os').system('touch TARGET')",
    "long digits": "9" * 10**6,
    "endless sum": "\\sum_{k=1}^{10^{9}} \\sin(k^k)",
}


def completions(values: dict[str, str]) -> dict[str, str]:
    """Every program as a `tinygsm` completion, and every box as an `omi2` one, with the placeholders filled in."""
    made = {}
    for name, body in BODIES.items():
        lines = "\n".join("    " + line for line in body.split("\n"))
        made[name] = f"def simple_math_problem() -> int:\n{lines}\n"
    for name, box in BOXES.items():
        made[f"box: {name}"] = f"So it is \\boxed{{{box}}}."
    for placeholder, value in values.items():
        made = {name: text.replace(placeholder, value) for name, text in made.items()}
    return made

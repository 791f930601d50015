"""The public names, one a line, and where each is defined."""

from . import analysis as analysis
from .lanes.layout import Layout as Layout
from .report.page import write_report as write_report
from .rounds.runner import promote as promote
from .rounds.runner import run as run
from .runs import Run as Run
from .runs import open_run as open_run
from .study import flax as flax
from .study.data import Arrays as Arrays
from .study.domains import Choice as Choice
from .study.domains import Float as Float
from .study.domains import Int as Int
from .study.schedule import LengthenConstant as LengthenConstant
from .study.schedule import LengthenDecay as LengthenDecay
from .study.schedule import Schedule as Schedule
from .study.schedule import Stretch as Stretch
from .study.schedule import shared_prefix as shared_prefix
from .study.schedule import warmup_constant_decay as warmup_constant_decay
from .study.space import Space as Space
from .study.study import Maximize as Maximize
from .study.study import Round as Round
from .study.study import Study as Study
from .study.supervised import SupervisedTask as SupervisedTask
from .study.task import Sum as Sum
from .study.task import Variables as Variables

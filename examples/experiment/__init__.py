"""What the lessons share: a run that can be resumed, options, pictures.

A lesson imports this package before Keras, whose backend is chosen here.
"""

from experiment.backend import BACKEND
from experiment.baseline import fit_linear
from experiment.command_line import data_dir_option
from experiment.command_line import generation_options
from experiment.command_line import prediction_options
from experiment.command_line import training_options
from experiment.command_line import usage_errors
from experiment.pictures import draw_overview
from experiment.pictures import draw_training
from experiment.prediction import load_model
from experiment.prediction import predict_classes
from experiment.run import Run
from experiment.schedule import warmup_then_cosine

__all__ = [
    "BACKEND",
    "Run",
    "data_dir_option",
    "draw_overview",
    "draw_training",
    "fit_linear",
    "generation_options",
    "load_model",
    "predict_classes",
    "prediction_options",
    "training_options",
    "usage_errors",
    "warmup_then_cosine",
]

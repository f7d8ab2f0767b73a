"""A training run: built from a config, trained, recorded in a run directory, resumed.

experiment            model, map, algorithm and optimizer that a config describes
user_model            a saved model of the user's own, its loss; loss_targets checks the targets
build_optimizer       Keras' optimizers and schedules; optimizer_arguments: their valid values
schedule_length       schedules that last as long as the training
cost_estimate         what a run will take
run                   the run itself; metrics_recorder writes its rows, interrupt stops it
run_directory         the files that it leaves; trackers: TensorBoard and MLflow
shuffling             the order of the examples
run_identity          when two runs are the same
checkpoint_folder     the checkpoints; checkpoint_format: one file, checkpoint_callbacks: when
training_state        what a checkpoint holds; resumable_run: what --resume finds
terminal_output       what the train command prints; curves_plot, diagnostics_plot: its pictures
"""

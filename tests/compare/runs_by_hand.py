"""What runs left, without the training."""


def rows(losses, passes=1.0, **more):
    """A row per epoch; `more` holds further columns, a list each."""
    return [
        {
            "epoch": epoch,
            "gradient_evaluations": passes * epoch,
            "seconds": 0.5 * epoch,
            "train_loss": loss if epoch else "",
            "val_loss": loss,
            **{name: values[epoch] for name, values in more.items()},
        }
        for epoch, loss in enumerate(losses)
    ]

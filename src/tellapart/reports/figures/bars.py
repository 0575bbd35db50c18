"""What a classifier says of one image."""

from tellapart.bundles.predictor import Prediction
from tellapart.reports.figures.theme import BLUE, SKY, Figure, axis, figure, share_axis
from tellapart.reports.figures.words import short, whole

BAR_HEIGHT, AROUND = 34, 100  # pixels: of a bar, and of what is above and below all


def probabilities(prediction: Prediction) -> Figure:
    """Draw the probability of each class that a prediction names, the likeliest on top."""
    top = prediction.top
    rows = list(range(len(top)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [choice.probability for choice in top],
        "y": rows,
        "width": 0.7,
        "marker": {"color": [BLUE, *[SKY] * (len(top) - 1)]},
        "text": [f"{choice.probability:.1%}" for choice in top],
        "textposition": "auto",
        "hovertext": [f"{whole(choice.label)}<br>probability {choice.probability:.4%}" for choice in top],
        "hoverinfo": "text",
    }
    return figure(
        [bars],
        title=f"{short(prediction.label)}, {prediction.probability:.1%} sure",
        x=share_axis("probability"),
        y=axis(
            "",
            range=[len(top) - 0.5, -0.5],
            tickvals=rows,
            ticktext=[short(choice.label) for choice in top],
            showgrid=False,
        ),
        height=AROUND + BAR_HEIGHT * len(top),
    )

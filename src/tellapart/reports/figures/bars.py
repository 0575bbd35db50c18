"""The prediction of one image as a bar for each class."""

from tellapart.bundles.predictor import Prediction
from tellapart.reports.figures.plotly_text import shortened, wrapped
from tellapart.reports.figures.theme import BLUE, SKY, Figure, axis, figure, share_axis

BAR_HEIGHT, MARGIN_HEIGHT = 34, 100  # pixels: of a bar, and of the space above and below all bars


def probabilities(prediction: Prediction) -> Figure:
    """Draw the probability of each class that a prediction lists, the most probable on top."""
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
        "hovertext": [f"{wrapped(choice.label)}<br>probability {choice.probability:.4%}" for choice in top],
        "hoverinfo": "text",
    }
    return figure(
        [bars],
        title=f"{shortened(prediction.label)}, confidence {prediction.probability:.1%}",
        x=share_axis("probability"),
        y=axis(
            "",
            range=[len(top) - 0.5, -0.5],
            tickvals=rows,
            ticktext=[shortened(choice.label) for choice in top],
            showgrid=False,
        ),
        height=MARGIN_HEIGHT + BAR_HEIGHT * len(top),
    )

from dash import Dash, Input, Output, callback, dcc, html

app = Dash(__name__)
server = app.server
app.layout = html.Div([dcc.Dropdown(["Oslo", "Rome"], "Oslo", id="city"), html.P(id="chosen")])


@callback(Output("chosen", "children"), Input("city", "value"))
def show(city):
    return f"{city} it is"

from flask import Flask
from flask_socketio import SocketIO, emit

app = Flask(__name__)
socketio = SocketIO(app)


@app.get("/")
def room():
    return "<h1>Chat</h1>"


@socketio.on("say")
def say(text):
    emit("said", text, broadcast=True)

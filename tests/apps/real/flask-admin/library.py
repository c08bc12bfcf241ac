import os

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

db = SQLAlchemy()


class Book(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(200), nullable=False)


def create_app():
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:////data/books.sqlite3", SECRET_KEY=os.environ["SECRET_KEY"])
    db.init_app(app)
    with app.app_context():
        # Workers start at the same moment, and SQLite tells the second that the table is there.
        db.session.execute(text("CREATE TABLE IF NOT EXISTS book (id INTEGER PRIMARY KEY, title VARCHAR(200) NOT NULL)"))
        db.session.commit()
    Admin(app, name="Library").add_view(ModelView(Book, db))
    return app

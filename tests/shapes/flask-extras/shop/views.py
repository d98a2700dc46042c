from flask import Blueprint, jsonify

bp = Blueprint("shop", __name__)


@bp.route("/healthz")
def healthz():
    return jsonify(status="ok")


@bp.route("/articles/<int:number>")
def article(number):
    return jsonify(number=number)
